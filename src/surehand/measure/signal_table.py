"""All signals of logged decisions in one pass: rounds stream in, a table of numbers per decision comes out."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import SurehandError
from surehand.frames import Round
from surehand.measure.chunk_space import ChunkSpace
from surehand.measure.consistency import ConsistencyStream
from surehand.measure.novelty import Novelty
from surehand.measure.signals import (
    cluster_entropy,
    confidence,
    disagreement,
    distance_to_mean,
    gripper_entropy,
    silent,
)

_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class SignalTable:
    """Signals of N decisions, of the pick where a signal is a candidate's; higher = riskier, NaN = says nothing."""

    episode: np.ndarray  # (N,) int64
    step: np.ndarray  # (N,) int64
    task: np.ndarray  # (N,) str
    silent: np.ndarray  # (N,) str: why the K candidates are no evidence, "" where they are
    hold: np.ndarray  # (N,) str: why to hold whatever a signal says (K equal chunks, a fault), "" for no reason
    knob: np.ndarray  # (N,) float64, the generator's setting
    violation: np.ndarray  # (N,) float64 of the pick: 0, 1, NaN where unknown
    values: Mapping[str, np.ndarray]  # by name, each (N,)

    def risk(self, name: str) -> np.ndarray:
        """One signal (N,) as a limit is put on it: +inf where it is not finite or there is a reason to hold."""
        if name not in self.values:
            raise SurehandError(f"no signal {name!r}; there are {', '.join(self.values)}")
        values = self.values[name]
        return np.asarray(np.where(np.isfinite(values) & (self.hold == ""), values, np.inf))


class SignalStream:
    """update(round) per decision in (episode, step) order, compute(): signals of any number of decisions.

    `within` cuts clusters and `beta` is STAC's squared width, in scale units; `halfway` parts an open gripper from a
    closed one where the layout's unit does not; `novelty` models judge the embedding. `better`: the verifier's score
    grows with quality, so its sign is turned.
    """

    def __init__(
        self,
        space: ChunkSpace,
        *,
        novelty: Mapping[str, Novelty] | None = None,
        within: float = 0.5,
        beta: float = 1.0,
        halfway: float | None = None,
        better: bool = True,
    ) -> None:
        self.space, self.novelty = space, dict(novelty or {})
        self.within, self.halfway, self.sign = within, halfway, -1.0 if better else 1.0
        self._consistency = ConsistencyStream(space, beta)
        self._rows: list[tuple[int, int, str, str, str]] = []
        self._columns = {name: array("d") for name in ("knob", "violation", *self._names())}
        self._silent = False
        self._waiting: list[np.ndarray | None] = []  # embeddings, judged a block at a time

    def update(self, item: Round) -> "SignalStream":
        """This stream with one more decision."""
        if self._rows and item.episode < self._rows[-1][0]:
            raise SurehandError(
                f"episode {item.episode} after {self._rows[-1][0]}; give rounds in (episode, step) order"
            )
        pick, why = item.selected, silent(item.candidates, item.generator, self.space)
        consistent = self._consistency.update(item.episode, item.step, item.candidates, pick)
        row = {"clock": float(item.step), "knob": item.value, "stac_single": consistent.single}
        if not why.why:
            row |= self._spread(item)
            row["stac_mmd"] = float("nan") if self._silent else consistent.mmd
        self._silent = bool(why.why)
        if pick >= 0:
            row |= self._of_pick(item, pick, self._silent)
        for name, column in self._columns.items():
            column.append(row.get(name, float("nan")))
        hold = why.why if why.fault else (f"fault: {item.faults[0]}" if item.faults else "")
        self._rows.append((item.episode, item.step, item.task, why.why, hold))
        self._waiting.append(None if item.embedding is None else np.array(item.embedding, float))
        if len(self._waiting) >= _BLOCK:
            self._judge()
        return self

    def compute(self) -> SignalTable:
        """The table so far; a signal that no decision had is a column of NaN."""
        self._judge()
        episode, step, task, why, hold = ([row[i] for row in self._rows] for i in range(5))
        values = {name: np.array(column) for name, column in self._columns.items()}
        return SignalTable(
            episode=np.array(episode, np.int64),
            step=np.array(step, np.int64),
            task=np.array(task, str),
            silent=np.array(why, str),
            hold=np.array(hold, str),
            knob=values.pop("knob"),
            violation=values.pop("violation"),
            values=values,
        )

    def _names(self) -> list[str]:
        found = [f"disagreement:{name}" for name in self.space.names]
        found += ["distance_to_mean", "gripper_entropy", "cluster_entropy", "stac_single", "stac_mmd"]
        found += ["verifier", "neg_log_p", "confidence", "token_entropy", "clock"]
        return found + [f"novelty:{name}" for name in self.novelty]

    def _spread(self, item: Round) -> dict[str, float]:
        found = disagreement(item.candidates, self.space)
        row = {f"disagreement:{name}": float(x) for name, x in zip(self.space.names, found, strict=True)}
        row["gripper_entropy"] = gripper_entropy(item.candidates, self.space.layout, self.halfway)
        row["cluster_entropy"] = cluster_entropy(item.candidates, self.space, self.within)
        if item.selected >= 0:
            row["distance_to_mean"] = float(distance_to_mean(item.candidates, self.space)[item.selected, -1])
        return row

    def _of_pick(self, item: Round, pick: int, silenced: bool) -> dict[str, float]:
        row = {"verifier": self.sign * float(item.score[pick])}
        if item.violation is not None:
            row["violation"] = float(item.violation[pick])
        if item.log_p is not None:
            row["neg_log_p"] = -float(item.log_p[pick])
            row["confidence"] = float("nan") if silenced else float(confidence(item.log_p)[pick])
        if item.token_entropy is not None:
            row["token_entropy"] = float(item.token_entropy[pick])
        return row

    def _judge(self) -> None:
        start = len(self._rows) - len(self._waiting)
        known = [i for i, embedding in enumerate(self._waiting) if embedding is not None]
        for name, model in self.novelty.items() if known else ():
            found = model.risk(np.stack([self._waiting[i] for i in known]))  # type: ignore[misc]
            for i, risk in zip(known, found.tolist(), strict=True):
                self._columns[f"novelty:{name}"][start + i] = risk
        self._waiting.clear()


def signals_of(
    rounds: Iterable[Round],
    space: ChunkSpace,
    *,
    novelty: Mapping[str, Novelty] | None = None,
    within: float = 0.5,
    beta: float = 1.0,
    halfway: float | None = None,
    better: bool = True,
) -> SignalTable:
    """Signals of all rounds, read once in (episode, step) order; see `SignalStream` for the settings."""
    stream = SignalStream(space, novelty=novelty, within=within, beta=beta, halfway=halfway, better=better)
    for item in rounds:
        stream.update(item)
    return stream.compute()
