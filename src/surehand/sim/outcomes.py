"""What closed loops came to, by the contracts: episodes become trials, decisions become rounds."""

from collections.abc import Iterator, Sequence

import numpy as np

from surehand.formats.trial_rows import Trial
from surehand.frames import Round
from surehand.sim.branching import Labels
from surehand.sim.episodes import Decision, Episode
from surehand.sim.model import CHANNELS


def initial_state(episode: Episode) -> str:
    """The text by which trials (`start_pose`) and rounds (`initial_state`) know a scene: `pick 1001000000`."""
    return f"{episode.task} {episode.scene}"


def to_trials(policy: str, episodes: Sequence[Episode]) -> list[Trial]:
    """One trial per episode, numbered from 0; `block` is the task, `notes` what else happened."""
    return [
        Trial(
            trial=i,
            policy=policy,
            block=episode.task,
            object=episode.thing,
            start_pose=initial_state(episode),
            operator="simulation",
            instruction=episode.instruction,
            success=None if episode.void else episode.success,
            void=bool(episode.void),
            void_rule=episode.void,
            notes=_notes(episode),
        )
        for i, episode in enumerate(episodes)
    ]


def _notes(episode: Episode) -> str:
    found = [f"{episode.steps} steps"]
    if episode.violated:
        found.append(f"violated {' '.join(episode.violated)}")
    if episode.refused:
        found.append(f"{episode.refused} actions refused")
    return "; ".join(found)


def to_rounds(episodes: Sequence[Episode], seed: int = 0, first: int = 0) -> Iterator[Round]:
    """Every logged decision, episodes numbered from `first`.

    `violation` is what happened for the pick and what the branches say for the others, NaN where nobody knows.
    `features` are state and environment as observed. `traces` holds, step by step until the next decision,
    `force_<channel>` (N) and `distance` from tool to thing (m); and from branches one number per candidate:
    `branch_force_<channel>` and `branch_force_<channel>_chunk` (peaks over the executed steps, over the whole chunk),
    `branch_violation_chunk`, `branch_success` (within the chunk) and `branch_diverged`. The latency is not recorded:
    in simulation the robot waits.
    """
    for number, episode in enumerate(episodes, start=first):
        for decision in episode.decisions:
            samples = decision.samples
            yield Round(
                episode=number,
                initial_state=initial_state(episode),
                step=decision.step,
                task=episode.instruction,
                candidates=samples.actions,
                score=decision.score,
                selected=decision.selected,
                verifier=decision.verifier,
                generator=samples.generator,
                knob=samples.knob,
                value=samples.value,
                seed=seed,
                executed=True,
                log_p=samples.log_p,
                token_entropy=samples.token_entropy,
                violation=_violation(decision),
                features=decision.features,
                embedding=decision.embedding,
                traces=_traces(decision),
                faults=_faults(decision),
            )


def _violation(decision: Decision) -> np.ndarray:
    """(K,) 1, 0, or NaN where unknown."""
    labels = decision.labels
    if labels is None:
        found = np.full(len(decision.score), np.nan)
    else:
        found = np.where(labels.diverged, np.nan, labels.violation)
    if np.isfinite(decision.forces).all() or decision.violated:
        found[decision.selected] = decision.violated
    return found


def _traces(decision: Decision) -> dict[str, np.ndarray]:
    traces = {f"force_{name}": decision.forces[:, i] for i, name in enumerate(CHANNELS)}
    traces["distance"] = decision.distance
    return traces | ({} if decision.labels is None else _branched(decision.labels))


def _branched(labels: Labels) -> dict[str, np.ndarray]:
    known = {f"branch_force_{name}": labels.forces[:, i] for i, name in enumerate(CHANNELS)}
    known |= {f"branch_force_{name}_chunk": labels.forces_chunk[:, i] for i, name in enumerate(CHANNELS)}
    known |= {"branch_violation_chunk": labels.violation_chunk, "branch_success": labels.success}
    found = {name: np.where(labels.diverged, np.nan, values) for name, values in known.items()}
    return found | {"branch_diverged": labels.diverged.astype(float)}


def _faults(decision: Decision) -> tuple[str, ...]:
    faults = ["action not finite"] if decision.refused else []
    if not np.isfinite(decision.forces).all():
        faults.append("simulation diverged")
    return tuple(faults)
