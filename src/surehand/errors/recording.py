"""The recording read once from front to back beside predictions that come in the same order."""

from collections.abc import Iterator

from surehand.frames import Actions, join_rows


class Recording:
    """Whole recorded episodes on request, in ascending order; only those still needed are held."""

    def __init__(self, batches: Iterator[Actions]) -> None:
        self._batches = batches
        self._held: list[Actions] = []

    def upto(self, first: int, last: int) -> Actions:
        """Held episodes from `first` on that reach as far as `last`, where the recording does."""
        self._held = [batch for batch in self._held if batch.episode[-1] >= first]
        while not self._held or self._held[-1].episode[-1] < last:
            following = next(self._batches, None)
            if following is None:
                break
            if len(following) and following.episode[-1] >= first:
                self._held.append(following)
        return join_rows(self._held)
