"""Which feature goes to a policy under which name: a dataset's vocabulary and a server's, one clause a feature.

`observation/state=observation.state[0:7]`: on the left the name the policy expects, on the right the dataset's.
A dot on the left nests, a slash does not; `[a:b]` takes some of the numbers, `[chw]` puts a picture's channels first.
"""

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.policies.mapping_clause import Clause
from surehand.policies.protocol import Observation

ALWAYS = ("task", "episode_index", "frame_index")  # what every observation says, whatever the dataset


@dataclass(frozen=True)
class Mapping:
    """Clauses that turn an observation into what a policy reads; without clauses, all of it under its own name.

    `flat`: a dot on the left is part of the name, for policies that name their inputs with dots.

    >>> mapping = Mapping.parse(["observation/state=observation.state[0:2]", "prompt=task"])
    >>> mapping.apply({"observation.state": np.arange(3.0), "task": "wave"})
    {'observation/state': array([0., 1.]), 'prompt': 'wave'}
    >>> str(mapping), mapping.inputs
    ('observation/state=observation.state[0:2],prompt=task', ('observation.state',))
    """

    clauses: tuple[Clause, ...] = ()
    flat: bool = False

    @classmethod
    def none(cls) -> Self:
        """The mapping that sends every observation.* under its own name, and the task as "prompt"."""
        return cls()

    @classmethod
    def parse(cls, clauses: str | Iterable[str], flat: bool = False) -> Self:
        """The mapping of these clauses (one text may hold several, with commas); SurehandError names a bad one."""
        texts = [clauses] if isinstance(clauses, str) else list(clauses)
        found = tuple(Clause.parse(part) for text in texts for part in text.split(",") if part.strip())
        taken: dict[tuple[str, ...], Clause] = {}
        for clause in found:
            path = clause.path(flat)
            for known, other in taken.items():
                if known[: len(path)] == path[: len(known)]:
                    raise SurehandError(f"--map {clause}: {other} already writes {other.name}; give each its own name")
            taken[path] = clause
        return cls(found, flat)

    def __str__(self) -> str:
        return ",".join(str(clause) for clause in self.clauses)

    @property
    def cameras(self) -> tuple[str, ...] | None:
        """Keys of the pictures it reads; None for whatever there is."""
        return self._keys(True)

    @property
    def inputs(self) -> tuple[str, ...] | None:
        """Keys of the numbers it reads (the instruction is not one); None for whatever there is."""
        return self._keys(False)

    def apply(self, observation: Observation, resize: int = 0) -> dict[str, Any]:
        """What the policy is sent; pictures `resize` pixels square (0 as they are), padded where they are not square.

        ShapeError names a feature the observation lacks, and one that its clause does not fit.
        """
        if not self.clauses:
            sent = {key: value for key, value in observation.items() if key.startswith("observation.")}
            if "task" in observation:
                sent["prompt"] = observation["task"]
            return {key: resized(value, resize) for key, value in sent.items()}
        answer: dict[str, Any] = {}
        for clause in self.clauses:
            *above, name = clause.path(self.flat)
            place = answer
            for step in above:
                place = place.setdefault(step, {})
            place[name] = clause.change(resized(_find(observation, clause), resize))
        return answer

    def _keys(self, pictures: bool) -> tuple[str, ...] | None:
        if not self.clauses:
            return None
        keys = [clause.key for clause in self.clauses if clause.picture == pictures and clause.key not in ALWAYS]
        return tuple(dict.fromkeys(keys))


def resized(value: Any, edge: int) -> Any:
    """A picture (h, w, 3) made `edge` pixels square, black around it, as openpi's client does; all else untouched."""
    if not edge or not is_picture(value) or value.shape[:2] == (edge, edge):
        return value
    try:
        from PIL import Image
    except ImportError:
        raise SurehandError("resizing pictures needs Pillow; pip install 'surehand[video]'") from None
    picture = Image.fromarray(value)
    width, height = picture.size
    ratio = max(width / edge, height / edge)
    inside = (max(1, int(width / ratio)), max(1, int(height / ratio)))
    frame = Image.new(picture.mode, (edge, edge), 0)
    frame.paste(picture.resize(inside, Image.Resampling.BILINEAR), ((edge - inside[0]) // 2, (edge - inside[1]) // 2))
    return np.asarray(frame)


def is_picture(value: Any) -> bool:
    """Whether this is a picture (h, w, 3) of uint8."""
    return isinstance(value, np.ndarray) and value.ndim == 3 and value.dtype == np.uint8 and value.shape[2] == 3


def _find(observation: Observation, clause: Clause) -> Any:
    """The feature a clause reads: under its whole name, or step by step through nested dicts."""
    if clause.key in observation:
        return observation[clause.key]
    place: Any = observation
    for step in clause.key.split("."):
        if not isinstance(place, AnyMapping) or step not in place:
            there = ", ".join(sorted(map(str, observation))) or "nothing"
            raise ShapeError(f"--map {clause}: the observation has no {clause.key}; it holds {there}")
        place = place[step]
    return place
