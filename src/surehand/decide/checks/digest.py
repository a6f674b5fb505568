"""One pass over a recording: what stays in memory are small tables per episode and a sample of frames."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surehand.decide.checks.moments import CrossMoments, RowSample
from surehand.frames import Actions, Stats, usable

EXAMPLES = 20  # places kept per kind of fault


@dataclass(frozen=True, eq=False)
class Timing:
    """Time steps of each episode, all (E,); NaN where an episode has no or one timestamp."""

    median: np.ndarray  # seconds
    largest: np.ndarray  # seconds
    backward: np.ndarray  # steps that do not increase
    gaps: np.ndarray  # steps above 1.5 / fps
    first_gap: np.ndarray  # frame after the first such step, −1 where none


@dataclass(frozen=True, eq=False)
class Facts:
    """What one pass leaves: E episodes, D dims, R sampled frames."""

    dims: int
    episode: np.ndarray  # (E,)
    task: np.ndarray  # (E,)
    rows: np.ndarray  # (E,) finite frames
    bad_rows: np.ndarray  # (E,) frames with NaN or infinity
    mean: np.ndarray  # (E, D)
    std: np.ndarray  # (E, D)
    low: np.ndarray  # (E, D)
    high: np.ndarray  # (E, D)
    q01: np.ndarray  # (E, D)
    q99: np.ndarray  # (E, D)
    full_turns: np.ndarray  # (2, D) steps of about 2π and of about 360
    bad: tuple[tuple[int, int, int, float], ...]  # (episode, frame, dim, value) of the first non-finite values
    bad_count: int
    bad_episodes: int
    bad_state: tuple[tuple[int, int, int, float], ...]  # as `bad`, of the recorded state
    bad_state_count: int
    frame_breaks: np.ndarray  # (E,) frame numbers that are not the one before plus one
    timing: Timing
    content: tuple[str, ...]  # (E,) hash of the numbers
    start: tuple[str, ...]  # (E,) hash of the first observation, "" where there is no state
    sample: np.ndarray  # (R, D)
    sample_episode: np.ndarray  # (R,)
    sample_exact: bool
    against_state: CrossMoments | None  # action (D) beside state (S)
    against_step: CrossMoments | None  # action (D) beside the state's next step (S)
    state_stats: Stats | None
    step_stats: Stats | None  # of action differences
    next_state_gap: np.ndarray | None  # (D,) largest |a_t − s_{t+1}|, where sizes agree

    @property
    def frames(self) -> int:
        """Finite frames N."""
        return int(self.rows.sum())

    @cached_property
    def stats(self) -> Stats:
        """Statistics of all frames."""
        return self.pooled(np.ones(len(self.episode), bool))

    def pooled(self, chosen: np.ndarray) -> Stats:
        """Statistics of the chosen episodes (E,) bool: exact but for quantiles, which are exact while the sample is."""
        chosen = chosen & (self.rows > 0)
        if not chosen.any():
            nothing = np.full(self.dims, np.nan)
            return Stats(nothing, nothing, nothing, nothing, nothing, nothing, 0, "no frames")
        weight = self.rows[chosen, None] / self.rows[chosen].sum()
        mean = (weight * self.mean[chosen]).sum(0)
        variance = (weight * (self.std[chosen] ** 2 + (self.mean[chosen] - mean) ** 2)).sum(0)
        rows = self.sample[np.isin(self.sample_episode, self.episode[chosen])]
        q01, q99 = np.quantile(rows, (0.01, 0.99), axis=0) if len(rows) else np.full((2, self.dims), np.nan)
        low, high = self.low[chosen].min(0), self.high[chosen].max(0)
        return Stats(mean, np.sqrt(variance), low, high, q01, q99, int(self.rows[chosen].sum()), "the recorded frames")

    @property
    def std_within(self) -> np.ndarray:
        """Standard deviation about each episode's own mean (D,)."""
        kept = self.rows > 0
        share = self.rows[kept, None] / max(self.frames, 1)
        return np.asarray(np.sqrt((share * self.std[kept] ** 2).sum(0)))

    @property
    def dead(self) -> np.ndarray:
        """True where a dimension never moves (D,)."""
        return is_dead(self.stats)

    @property
    def live(self) -> np.ndarray:
        """True where a dimension moves (D,)."""
        return ~self.dead


def is_dead(stats: Stats) -> np.ndarray:
    """True where the range (or the spread, without a range) is below a millionth of the size of the values (D,)."""
    if stats.min is not None and stats.max is not None:
        spread, size = stats.max - stats.min, np.maximum(np.abs(stats.max), np.abs(stats.min))
    elif stats.std is not None:
        spread, size = stats.std, np.abs(stats.mean) if stats.mean is not None else np.ones_like(stats.std)
    else:
        return np.zeros(0, bool)
    found: np.ndarray = ~(spread > 1e-6 * np.maximum(size, 1))
    return found


class Digest:
    """Accumulates `Facts` over batches of whole episodes."""

    def __init__(self, dims: int, fps: float, rng: np.random.Generator, state_dims: int | None = None) -> None:
        self.dims, self.fps = dims, fps
        self.sample = RowSample(dims, rng)
        self.tables: list[dict[str, np.ndarray]] = []
        self.numbers: list[tuple[int, int, int, int, int, float, float, int, int, int]] = []
        self.content: list[str] = []
        self.start: list[str] = []
        self.bad: list[tuple[int, int, int, float]] = []
        self.bad_state: list[tuple[int, int, int, float]] = []
        self.bad_count = self.bad_episodes = self.bad_state_count = 0
        self.turns = np.zeros((2, dims), np.int64)
        self.steps = CrossMoments(dims, 1)
        self.states = CrossMoments(dims, state_dims) if state_dims else None
        self.state_steps = CrossMoments(dims, state_dims) if state_dims else None
        self.next_gap = np.zeros(dims) if state_dims == dims else None

    def update(self, batch: Actions) -> None:
        """Add whole episodes."""
        edges = np.flatnonzero(np.diff(batch.episode)) + 1
        for rows in np.split(np.arange(len(batch)), edges):
            if len(rows):
                self._episode(batch.take(slice(rows[0], rows[-1] + 1)))

    def _episode(self, one: Actions) -> None:
        action = np.asarray(one.action, float)
        count = _nonfinite(one, action, self.bad)
        self.bad_count += count
        self.bad_episodes += bool(count)
        finite = usable(action).all(1)
        clean = action[finite]
        self.tables.append(_table(clean, self.dims))
        self.sample.update(clean, one.episode[finite])
        self._steps(np.diff(clean, axis=0))
        if self.states is not None and self.state_steps is not None and one.state is not None:
            state = np.asarray(one.state, float)
            self.bad_state_count += _nonfinite(one, state, self.bad_state)
            self._state(action, state)
        breaks = int((np.diff(one.frame) != 1).sum() + (one.frame[0] != 0))
        episode, task = int(one.episode[0]), int(one.task[0])
        self.numbers.append(
            (episode, task, len(clean), len(one) - len(clean), breaks, *_timing(one.timestamp, one.frame, self.fps))
        )
        self.content.append(content_hash(one.action, one.state))
        self.start.append("" if one.state is None else content_hash(one.state[:1], None))

    def _steps(self, steps: np.ndarray) -> None:
        self.steps.update(steps, np.zeros((len(steps), 1)))
        for i, turn in enumerate((2 * np.pi, 360.0)):
            self.turns[i] += (np.abs(np.abs(steps) - turn) < 0.02 * turn).sum(0)

    def _state(self, action: np.ndarray, state: np.ndarray) -> None:
        assert self.states is not None and self.state_steps is not None
        good = np.asarray(usable(action).all(1) & usable(state).all(1))
        state = np.where(good[:, None], state, 0.0)
        self.states.update(action[good], state[good])
        moving = good[:-1] & good[1:]
        self.state_steps.update(action[:-1][moving], np.diff(state, axis=0)[moving])
        if self.next_gap is not None and moving.any():
            self.next_gap = np.maximum(self.next_gap, np.abs(action[:-1] - state[1:])[moving].max(0))

    def facts(self) -> Facts:
        """What was learned."""
        numbers = np.array(self.numbers, float).reshape(-1, 10)
        whole = numbers[:, [0, 1, 2, 3, 4, 7, 8, 9]].astype(np.int64)
        sample, label = self.sample.read()
        table = {
            name: np.array([t[name] for t in self.tables]).reshape(-1, self.dims)
            for name in ("mean", "std", "low", "high", "q01", "q99")
        }
        cross = self.states
        return Facts(
            dims=self.dims,
            episode=whole[:, 0],
            task=whole[:, 1],
            rows=whole[:, 2],
            bad_rows=whole[:, 3],
            **table,
            full_turns=self.turns,
            bad=tuple(self.bad),
            bad_count=self.bad_count,
            bad_episodes=self.bad_episodes,
            bad_state=tuple(self.bad_state),
            bad_state_count=self.bad_state_count,
            frame_breaks=whole[:, 4],
            timing=Timing(numbers[:, 5], numbers[:, 6], whole[:, 5], whole[:, 6], whole[:, 7]),
            content=tuple(self.content),
            start=tuple(self.start),
            sample=sample,
            sample_episode=label,
            sample_exact=self.sample.exact,
            against_state=cross,
            against_step=self.state_steps,
            state_stats=Stats(cross.y_mean, cross.y_std, source="observation.state") if cross and cross.count else None,
            step_stats=Stats(self.steps.x_mean, self.steps.x_std, source="action differences")
            if self.steps.count
            else None,
            next_state_gap=self.next_gap if self.state_steps is not None and self.state_steps.count else None,
        )


def _nonfinite(one: Actions, values: np.ndarray, places: list[tuple[int, int, int, float]]) -> int:
    """How many values are NaN or infinite; the first are noted in `places` as (episode, frame, dim, value)."""
    rows, dims = np.nonzero(~usable(values))
    for row, dim in list(zip(rows, dims, strict=True))[: EXAMPLES - len(places)]:
        places.append((int(one.episode[row]), int(one.frame[row]), int(dim), float(values[row, dim])))
    return len(rows)


def _table(clean: np.ndarray, dims: int) -> dict[str, np.ndarray]:
    """One episode's statistics per dim, NaN where it has no finite frame."""
    if len(clean) == 0:
        return dict.fromkeys(("mean", "std", "low", "high", "q01", "q99"), np.full(dims, np.nan))
    q01, q99 = np.quantile(clean, (0.01, 0.99), axis=0)
    return {
        "mean": clean.mean(0),
        "std": clean.std(0),
        "low": clean.min(0),
        "high": clean.max(0),
        "q01": q01,
        "q99": q99,
    }


def _timing(timestamp: np.ndarray | None, frame: np.ndarray, fps: float) -> tuple[float, float, int, int, int]:
    """(median step, largest step, steps that do not increase, gaps, frame after the first gap or −1)."""
    if timestamp is None or len(timestamp) < 2:
        return np.nan, np.nan, 0, 0, -1
    steps = np.diff(np.asarray(timestamp, float))
    gap = steps > 1.5 / fps if fps > 0 else np.zeros(len(steps), bool)
    first = int(frame[int(np.argmax(gap)) + 1]) if gap.any() else -1
    return float(np.median(steps)), float(steps.max()), int((steps <= 0).sum()), int(gap.sum()), first


def content_hash(action: np.ndarray, state: np.ndarray | None) -> str:
    """Hash of the numbers as float32, so that the same episode in two format versions has one hash."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (action, state):
        if part is not None:
            digest.update(str(part.shape).encode())
            with np.errstate(over="ignore"):
                digest.update(np.ascontiguousarray(part, np.float32).tobytes())
    return digest.hexdigest()
