"""One Euclidean space for chunks of unlike joints: std or range units, and angles as points on a circle.

K candidates, H steps, D dimensions, C coordinates, G groups.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surehand.exceptions import ShapeError, SpaceError
from surehand.layout import Layout
from surehand.measure.scale import Scale, members


@dataclass(frozen=True, eq=False)
class ChunkSpace:
    """Where candidates are compared: live joints divided by `scale` (std or range), padding and `dead` joints left out.

    A joint that turns without end becomes two coordinates, cosine and sine, so that the distance of two angles is the
    chord 2·sin(Δ/2) in the joint's own unit and 359° lies beside 1°.
    """

    layout: Layout
    scale: Scale
    dead: np.ndarray  # (D,) bool

    def __post_init__(self) -> None:
        if self.scale.name not in ("std", "range"):
            raise SpaceError(
                f"signals of K samples need std or range units, got {self.scale}; unlike joints share a norm"
            )
        if len(self.scale.values) != self.layout.size or np.shape(self.dead) != (self.layout.size,):
            counts = f"{len(self.scale.values)} scales and {np.size(self.dead)} dead flags"
            raise ShapeError(f"{counts} for the layout's {self.layout.size} dimensions; take both from one dataset")
        unscaled = np.flatnonzero(self._live & ~(np.nan_to_num(self.scale.values) > 0))
        if len(unscaled):
            name = self.layout.names[int(unscaled[0])]
            raise SpaceError(
                f"joint {name!r} has no {self.scale.name} to divide by; mark joints that never move as dead"
            )

    @cached_property
    def member(self) -> np.ndarray:
        """1 where a joint counts in a column, the columns being the groups and then the total (D, G+1)."""
        return members(self.layout, self.dead)

    @property
    def names(self) -> tuple[str, ...]:
        """The groups, then "total" (G+1)."""
        return (*self.layout.groups, "total")

    @cached_property
    def _live(self) -> np.ndarray:
        return np.asarray(self.member[:, -1] > 0)

    @cached_property
    def _straight(self) -> np.ndarray:
        return np.flatnonzero(self._live & (self.layout.period == 0))

    @cached_property
    def _turning(self) -> np.ndarray:
        return np.flatnonzero(self._live & (self.layout.period > 0))

    @cached_property
    def joint(self) -> np.ndarray:
        """The joint that each coordinate belongs to (C,)."""
        return np.concatenate([self._straight, self._turning, self._turning])

    def points(self, chunks: np.ndarray) -> np.ndarray:
        """Coordinates (..., C) float64 of actions (..., D); ShapeError where D is not the layout's."""
        chunks = np.asarray(chunks)
        if chunks.shape[-1:] != (self.layout.size,):
            raise ShapeError(f"actions of shape {chunks.shape} for a layout of {self.layout.size} dimensions")
        wide = chunks.astype(np.float64)
        straight = wide[..., self._straight] / self.scale.values[self._straight]
        radius = self.layout.period[self._turning] / (2 * np.pi)
        reach = radius / self.scale.values[self._turning]
        with np.errstate(invalid="ignore"):  # an angle that is not finite stays a fault, as NaN
            angle = wide[..., self._turning] / radius
            return np.concatenate([straight, np.cos(angle) * reach, np.sin(angle) * reach], axis=-1)

    def mean_square(self, squares: np.ndarray) -> np.ndarray:
        """Mean over each group's live joints, and over all of them, of squares (..., C): (..., G+1), NaN for none."""
        member = self.member[self.joint]
        joints = self.member.sum(axis=0)
        return np.asarray(squares @ member) / np.where(joints > 0, joints, np.nan)
