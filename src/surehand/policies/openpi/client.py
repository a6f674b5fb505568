"""A policy behind openpi's websocket: observations out under its names, chunks back as its own transforms made them."""

from typing import Any, Self

import numpy as np

from surehand.exceptions import FormatError, ShapeError
from surehand.frames import Space
from surehand.policies.chunks import OneByOne, chunk_of
from surehand.policies.mapping import Mapping
from surehand.policies.openpi.answers import spec_said
from surehand.policies.openpi.link import OpenpiLink
from surehand.policies.protocol import Answer, Observation, PolicySpec
from surehand.wire.msgpack_numpy import pack, unpack

_ALL, _ROBOT = Mapping.none(), Space()


class OpenpiPolicy(OneByOne):
    """The policy of an openpi server (or of `surehand serve`) at ws://host:port; a context manager that closes it.

    `mapping` names what it is sent, `resize` the edge of its pictures (0 as they are), `timeout` seconds for each
    answer. The server draws its own noise and goes on drawing, so the same observation gives another chunk each time,
    unless it is surehand's own and says that its policy is deterministic, where its chunks begin, and how many
    observations in a row it looks at. Horizon and columns are known from the first answer on, and held to.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping = _ALL,
        *,
        api_key: str = "",
        timeout: float = 60.0,
        resize: int = 0,
        space: Space = _ROBOT,
    ) -> None:
        """Raises SurehandError, in one line, where no openpi server answers at `url`."""
        self._link = OpenpiLink(url, api_key, timeout)
        self.who, self.name = url, url.partition("://")[2]
        self.mapping, self.resize = mapping, resize
        unknown = PolicySpec(
            horizon=0,
            dims=0,
            space=space,
            stochastic=True,
            generator="noise",
            cameras=mapping.cameras,
            seeded=False,
            inputs=mapping.inputs,
        )
        self.spec = spec_said(self._link.metadata, unknown)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the server said of itself when the connection opened."""
        return self._link.metadata

    @property
    def image_size(self) -> int:
        """Edge of the pictures it is sent, 0 where they go as they are."""
        return self.resize

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D), ...} and whatever else the server answered, its timing among it.

        Raises ShapeError for a feature the observation lacks and for a chunk of another shape than before, FormatError
        for numbers that are none, SurehandError for what the server says, and where it stays away or silent.
        """
        question = self.mapping.apply(observation, self.resize)
        if self.spec.history > 1 and "history" in observation:
            question["history"] = [self.mapping.apply(one, self.resize) for one in observation["history"]]
        raw = self._link.ask(pack(question))
        try:
            answer = unpack(raw)
        except FormatError as error:
            raise FormatError(f"{self.who} answered something unreadable ({error}); is it an openpi server?") from None
        if not isinstance(answer, dict):
            raise FormatError(f"{self.who} answered a {type(answer).__name__}; expected a dict with 'actions' (H, D)")
        chunk = chunk_of(answer, self.who)
        if np.ndim(answer["actions"]) != 2:
            raise ShapeError(f"{self.who} answered actions of shape {np.shape(answer['actions'])}, expected (H, D)")
        return {**answer, "actions": np.array(self.checked(chunk))}  # what came is read-only

    def close(self) -> None:
        """The connection is closed."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
