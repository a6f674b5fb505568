"""Are episodes whole and different from each other, and does time run as fps says?"""

from collections.abc import Sequence

import numpy as np

from surehand.decide.checks.digest import Facts, Timing
from surehand.decide.checks.words import columns, plural, some
from surehand.decide.findings import Finding, finding


def check_lengths(episode: np.ndarray, claimed: np.ndarray, read: dict[int, int]) -> list[Finding]:
    """Empty episodes, and lengths that the data files contradict. `episode`, `claimed` (E,), `read`: rows found."""
    found = []
    empty = [int(e) for e, n in zip(episode, claimed, strict=True) if n == 0 or read.get(int(e), 0) == 0]
    if empty:
        found.append(
            finding("episode.empty", f"{plural(len(empty), 'episode')} without frames", f"episodes {columns(empty)}")
        )
    wrong = [
        (int(e), int(n), read[int(e)])
        for e, n in zip(episode, claimed, strict=True)
        if read.get(int(e), 0) not in (0, n)
    ]
    if wrong:
        first = "episode {}: metadata {} frames, data {}".format(*wrong[0])
        found.append(finding("episode.length", f"{plural(len(wrong), 'episode')}; {first}"))
    return found


def check_count(listed: int, stated: object) -> list[Finding]:
    """No episode at all, or another number than info.json states (a metadata file that was cut off, say)."""
    if not listed:
        return [finding("episode.empty", "the metadata list no episode")]
    if not isinstance(stated, int) or stated == listed:
        return []
    return [finding("episode.count", f"info.json states {plural(stated, 'episode')}, {listed} are listed")]


def check_duplicates(episode: np.ndarray, content: Sequence[str]) -> list[Finding]:
    """Groups of episodes with equal content hash."""
    groups: dict[str, list[int]] = {}
    for index, key in zip(episode, content, strict=True):
        groups.setdefault(key, []).append(int(index))
    copies = ["=".join(map(str, group)) for group in groups.values() if len(group) > 1]
    return [finding("episode.duplicate", f"equal to the last bit: episodes {some(copies)}")] if copies else []


def check_still(facts: Facts) -> list[Finding]:
    """Episodes of at least two frames in which no dimension moves, where others do."""
    if not facts.live.any():
        return []
    range_ = np.nan_to_num(facts.high - facts.low)[:, facts.live]
    still = facts.episode[(facts.rows >= 2) & (range_ <= 0).all(1)]
    return [finding("episode.still", plural(len(still), "episode"), f"episodes {columns(still)}")] if len(still) else []


def check_frame_index(episode: np.ndarray, breaks: np.ndarray) -> list[Finding]:
    """Episodes whose frame_index does not count 0, 1, 2, ... `breaks` (E,)."""
    bad = np.flatnonzero(breaks > 0)
    if not len(bad):
        return []
    evidence = f"{plural(int(breaks.sum()), 'break')} in {plural(len(bad), 'episode')}"
    return [finding("episode.frame_index", evidence, f"first in episode {episode[bad[0]]}")]


def check_time(episode: np.ndarray, timing: Timing, fps: float, *, has_time: bool) -> list[Finding]:
    """Timestamps that run backwards, at another rate than fps (5 %), or with steps above 1.5 frames."""
    if fps <= 0:
        return [finding("time.fps", f"fps is {fps}")]
    if not has_time:
        return [finding("time.unknown", f"only fps = {fps:g} is known")]
    found = []
    back = np.flatnonzero(timing.backward > 0)
    if len(back):
        evidence = f"{plural(int(timing.backward.sum()), 'step')} in {plural(len(back), 'episode')}"
        found.append(finding("time.not_increasing", evidence, f"first in episode {episode[back[0]]}"))
    rate = timing.median * fps
    wrong = np.flatnonzero(np.abs(rate - 1) > 0.05)
    if len(wrong):
        seen = 1 / timing.median[wrong[0]] if timing.median[wrong[0]] > 0 else np.nan
        evidence = f"fps says {fps:g}, the median step {seen:.4g} per second in {plural(len(wrong), 'episode')}"
        found.append(finding("time.rate", evidence, f"first in episode {episode[wrong[0]]}"))
    gaps = np.flatnonzero((timing.gaps > 0) & (np.abs(rate - 1) <= 0.05))
    if len(gaps):
        evidence = (
            f"{plural(int(timing.gaps[gaps].sum()), 'step')} above 1.5 frames in {plural(len(gaps), 'episode')}, "
            f"the longest {timing.largest[gaps].max():.3g} s"
        )
        place = f"first in episode {episode[gaps[0]]} before frame {timing.first_gap[gaps[0]]}"
        found.append(finding("time.gap", evidence, place))
    return found
