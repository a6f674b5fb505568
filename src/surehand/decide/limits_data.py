"""What experts did, step by step: signals and phases out of a LeRobot dataset's columns, or the traces of rounds."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surehand.decide.limits_record import Side, Signal
from surehand.decide.limits_signals import find_phase, find_signals, numeric_columns, phase_labels, traced
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.rounds import RoundsFile, open_rounds
from surehand.frames import Actions
from surehand.measure.phases import PhaseRule
from surehand.splits import check_episodes

STARTS = "initial_state"


@dataclass(frozen=True)
class Ask:
    """What to read: (column or column[entry], side) per signal in order, the phase rule, and which episodes."""

    signals: tuple[tuple[str, Side], ...]
    phase: str = "none"
    episodes: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Experts:
    """N steps of E expert episodes; values as recorded, sizes where a signal is `absolute`."""

    values: np.ndarray  # (N, S)
    phase: np.ndarray  # (N,) index into rule.phases
    episode: np.ndarray  # (N,) 0 to E − 1
    task: np.ndarray  # (E,) index into instructions
    instructions: tuple[str, ...]
    signals: tuple[Signal, ...]
    rule: PhaseRule
    rule_text: str  # as it was asked for
    numbers: np.ndarray  # (E,) as the source counts them
    initial_states: tuple[str, ...]  # (E), or none where unknown
    source: str
    identity: str


def read_experts(source: Path, ask: Ask) -> Experts:
    """The experts' steps in a LeRobot dataset's folder or a file of rounds; SurehandError where anything is missing."""
    rounds = source.is_file() or source.suffix == ".parquet"
    if not ask.signals:
        names = traced(open_rounds(source)) if rounds else numeric_columns(open_lerobot(source))
        raise SurehandError(
            f"which signals? name at least one with --signal, --absolute or --lower of {', '.join(names)}"
        )
    if rounds:
        return _from_rounds(open_rounds(source), ask)
    return _from_dataset(open_lerobot(source), ask)


def _from_dataset(data: LeRobotFolder, ask: Ask) -> Experts:
    known = numeric_columns(data)
    signals = find_signals(ask.signals, known, data)
    steering = find_phase(ask.phase, known, data)
    start = (STARTS,) if known.get(STARTS) == 1 else ()
    columns = dict.fromkeys([*(s.column for s in signals), *([steering[0]] if steering else []), *start])
    chosen = data.episodes if ask.episodes is None else np.array(ask.episodes, np.int64)
    recorded = data.read(chosen, columns=[c for c in columns if c not in (data.action_key, data.state_key)])
    _no_twins(data, chosen)

    def take(column: str, index: int | None) -> np.ndarray:
        own = {data.action_key: recorded.action, data.state_key: recorded.state}.get(column)
        values = recorded.columns[column] if own is None else own
        flat = np.asarray(values, float).reshape(len(recorded), -1)
        return flat[:, 0 if index is None else index]

    steer = take(*steering) if steering else None
    states: tuple[str, ...] = ()
    if start:  # a number that says which of its task's initial states it is
        first = recorded.frame == 0
        told = zip(recorded.task[first].tolist(), take(STARTS, None)[first].tolist(), strict=True)
        states = tuple(f"{recorded.tasks[task]}: {value:.17g}" for task, value in told)
    return _finished(recorded, [take(s.column, s.index) for s in signals], signals, steer, ask, states, data.identity())


def _from_rounds(file: RoundsFile, ask: Ask) -> Experts:
    known = traced(file)
    signals = find_signals(ask.signals, known)
    steering = (find_phase(ask.phase, known) or ("",))[0]
    wanted = tuple(dict.fromkeys([*(s.column for s in signals), *([steering] if steering else [])]))
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    episode: list[np.ndarray] = []
    tasks: dict[int, str] = {}
    states: dict[int, str] = {}
    chosen = None if ask.episodes is None else set(ask.episodes)
    for one in file:
        if chosen is not None and one.episode not in chosen:
            continue
        traces = [one.traces.get(name) for name in wanted]
        if not one.executed and all(t is None for t in traces):
            continue
        lengths = {name: None if t is None else len(t) for name, t in zip(wanted, traces, strict=True)}
        if None in lengths.values() or len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {'missing' if n is None else n}" for name, n in lengths.items())
            raise FormatError(
                f"{file.path}: episode {one.episode} step {one.step}, steps traced: {told}; log all alike"
            )
        if tasks.setdefault(one.episode, one.task) != one.task:
            raise FormatError(f"{file.path}: episode {one.episode} changes its task to {one.task!r}; one per episode")
        states.setdefault(one.episode, one.initial_state)
        episode.append(np.full(len(one.traces[wanted[0]]), one.episode))
        for name in wanted:
            parts[name].append(np.asarray(one.traces[name], float))
    if ask.episodes is not None:
        check_episodes(ask.episodes, list(states))
    numbers = np.concatenate(episode) if episode else np.zeros(0, np.int64)
    columns = {name: np.concatenate(found) for name, found in parts.items()}
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    names = tuple(dict.fromkeys(tasks.values()))
    recorded = Actions(
        action=np.zeros((len(numbers), 0)),
        episode=numbers,
        frame=np.arange(len(numbers)) - np.repeat(starts, np.diff([*starts, len(numbers)])),
        task=np.array([names.index(tasks[e]) for e in numbers.tolist()], np.int64),
        tasks=names,
        source=str(file.path),
    )
    steer = None
    if steering and len(numbers):
        # A trace holds what each step led to; the phase of a step must be known before it, so it is the step before's.
        after = columns[steering]
        steer = np.where(recorded.frame == 0, after, np.roll(after, 1))
    identity = str(file.metadata.get("data_identity") or "") or _digest(file.path)
    found = [columns.get(s.column, np.zeros(0)) for s in signals]
    kept = tuple(states[e] for e in numbers[starts].tolist())
    return _finished(recorded, found, signals, steer, ask, kept if all(kept) else (), identity)


def _finished(
    recorded: Actions,
    columns: Sequence[np.ndarray],
    signals: Sequence[Signal],
    steer: np.ndarray | None,
    ask: Ask,
    states: tuple[str, ...],
    identity: str,
) -> Experts:
    if not len(recorded):
        raise NotEnoughData(f"{recorded.source}: no expert episode with a step in it; record some first")
    values = np.stack(columns, axis=1)
    for signal, column in zip(signals, values.T, strict=True):
        if not np.isfinite(column).all():
            at = int(np.argmax(~np.isfinite(column)))
            raise FormatError(
                f"{recorded.source}: {signal.column} is {column[at]} at episode {recorded.episode[at]} step "
                f"{recorded.frame[at]}; an expert's peak must be known, so leave the episode out (--episodes)"
            )
        if signal.side == "absolute":
            np.abs(column, out=column)
    rule, phase = phase_labels(recorded, ask.phase, steer)
    numbers, first, episode = np.unique(recorded.episode, return_index=True, return_inverse=True)
    task = recorded.task[first]
    if (recorded.task != task[episode]).any():
        at = int(np.argmax(recorded.task != task[episode]))
        raise FormatError(
            f"{recorded.source}: episode {recorded.episode[at]} changes its task; limits need one per episode"
        )
    instructions = recorded.tasks or ("",)
    return Experts(
        values, phase, episode, task, tuple(instructions), tuple(signals), rule, ask.phase, numbers, states,
        Path(recorded.source).name, identity,
    )  # fmt: skip


def _no_twins(data: LeRobotFolder, episodes: np.ndarray) -> None:
    """Nothing, or SurehandError where two episodes are the same recording: a peak would count twice."""
    seen: dict[str, int] = {}
    for episode, digest in data.episode_hashes(episodes).items():
        if digest in seen:
            raise SurehandError(
                f"{data.root}: episodes {seen[digest]} and {episode} are the same recording, and count as one expert "
                "episode; leave one out (--episodes)"
            )
        seen[digest] = episode


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
