"""One evaluation: held-out episodes of a dataset against recorded predictions and rivals, streamed into one record."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from surehand.align import pair
from surehand.errors.meter import Meter, Yardstick
from surehand.errors.phases import PhaseLabels, choose_phases
from surehand.errors.plan import Plan, common_horizon, require_held_out
from surehand.errors.record import ErrorsRecord
from surehand.errors.recording import Recording
from surehand.errors.summary import summarise
from surehand.errors.tool import Tool
from surehand.errors.training import training_stats
from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.predictions import PredictionsFile
from surehand.frames import Predictions, Stats, frame_keys
from surehand.measure.scale import idle_groups, within_episode_spread
from surehand.policies.rivals import HoldLast, NearestNeighbour, Rival, StateAsAction, TaskMean

LEARNING = {"mean": TaskMean.name, "nearest": NearestNeighbour.name}  # rivals that see training episodes
BATCH = 16_384  # recorded frames read at a time beside predictions

Progress = Callable[[str, float], None]  # what is being done, share done


def measure_errors(
    dataset: LeRobotFolder,
    plan: Plan,
    predictions: Sequence[PredictionsFile] = (),
    progress: Progress = lambda what, share: None,
) -> ErrorsRecord:
    """Errors by group of every checkpoint and rival over the plan's held-out episodes, and the choice among them.

    Data stream episode by episode; what stays in memory is one set of sums per policy and episode. Raises
    SurehandError for predictions that do not belong to the dataset or cannot be compared.
    """
    require_held_out(plan.split)
    files = list(predictions)
    if not files and not plan.rivals:
        raise SurehandError("nothing to measure: give recorded predictions, or leave at least one rival in")
    horizon = common_horizon(files, plan)
    progress("training statistics", 0.0)
    training = _training(dataset, plan)
    spread = within_episode_spread(dataset.batches(plan.split.train or None))
    idle = idle_groups(spread, plan.layout)
    labels = choose_phases(dataset, plan, training, idle)
    # The hold-last rival knows nothing at an episode's first frame, so nobody is scored there.
    skip = 1 if "hold" in plan.rivals else 0
    spaces = tuple(dict.fromkeys(str(file.space) for file in files))
    tool = Tool.of(plan, dataset.fps, plan.executed_steps(horizon))
    yardstick = Yardstick(plan, horizon, labels.rule, training, idle, dataset.fps, labels.grippers, tool, spaces)
    scene = Scene(dataset, yardstick, labels, skip, files)
    meters: list[Meter] = []
    for i, file in enumerate(files):
        meter = Meter(file.checkpoint, yardstick)
        recording = scene.recording()
        for done, batch in scene.predicted(file):
            scene.update(meter, batch, recording)
            progress(f"{file.checkpoint}", (i + done) / (len(files) + 1))
        meters.append(meter)
    meters.extend(_measure_rivals(scene, bool(files)))
    if not meters:
        learning = " and ".join(plan.rivals)
        raise NotEnoughData(f"nothing to measure: {learning} need training episodes; hold out fewer, or add hold")
    progress("intervals and choice", 1.0)
    return summarise(dataset, yardstick, labels, meters, skip, scene.warnings())


@dataclass
class Scene:
    """What every policy of one evaluation shares: the held-out recording, its phases, the frames that are scored."""

    dataset: LeRobotFolder
    yardstick: Yardstick
    labels: PhaseLabels
    skip: int
    files: Sequence[PredictionsFile] = ()
    frames: list[np.ndarray] = field(default_factory=list)  # keys of the frames that checkpoints answered
    lengths: list[np.ndarray] = field(default_factory=list)  # and how many steps of each
    episodes: set[int] = field(default_factory=set)
    searched: int = 1  # the nearest neighbour searched one of so many training episodes

    @property
    def plan(self) -> Plan:
        """What to measure and how."""
        return self.yardstick.plan

    def predicted(self, file: PredictionsFile) -> Iterator[tuple[float, Predictions]]:
        """(share done, the held-out rows of one batch); raises NotEnoughData where no held-out frame is predicted."""
        unknown = np.setdiff1d(file.episodes(), self.dataset.episodes)
        if len(unknown):
            raise SurehandError(
                f"{file.path.name} predicts {len(unknown)} episodes that {self.dataset.root.name} does not have, the "
                f"first is {unknown[0]}; wrong dataset?"
            )
        held_out = np.array(self.plan.split.held_out)
        seen = used = 0
        for batch in file.batches():
            seen += len(batch)
            rows = batch.take(np.isin(batch.episode, held_out))
            if len(rows):
                used += len(rows)
                yield seen / max(file.frames, 1), rows
        if not used:
            raise NotEnoughData(
                f"{file.path.name} predicts none of the {len(held_out)} held-out episodes; "
                "predict them, or name its episodes with --episodes"
            )

    def recording(self) -> Recording:
        """The held-out recording from its start, with the columns that phases need."""
        held_out = sorted(self.plan.split.held_out)
        return Recording(self.dataset.batches(held_out, BATCH, self.labels.columns))

    def update(self, meter: Meter, batch: Predictions, recording: Recording) -> None:
        """Add one batch of predictions, whole episodes, to the meter."""
        recorded = recording.upto(int(batch.episode[0]), int(batch.episode[-1]))
        phase = self.labels.of(recorded)
        pairs = pair(
            batch, recorded, stats=self.plan.stats, phase=phase, phases=self.labels.rule.phases, skip=self.skip
        )
        meter.update(pairs, recorded)
        fresh = ~np.isin(batch.episode, list(self.episodes))
        self.frames.append(frame_keys(batch.episode, batch.frame)[fresh])
        self.lengths.append(batch.length[fresh])
        self.episodes.update(np.unique(batch.episode).tolist())

    @cached_property
    def asked(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys of all frames that checkpoints answered, ascending, and the length of the answers; once all are read."""
        keys, lengths = np.concatenate(self.frames), np.concatenate(self.lengths)
        order = np.argsort(keys)
        return keys[order], lengths[order]

    def answered(self, answer: Predictions) -> Predictions:
        """A rival's answer cut to the frames and steps that checkpoints answered: both are scored on the same pairs."""
        keys, lengths = self.asked
        wanted = frame_keys(answer.episode, answer.frame)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        same = keys[place] == wanted
        return replace(answer, length=np.minimum(answer.length, lengths[place])).take(same)

    def warnings(self) -> list[str]:
        """What a reader must know of the frames and rivals behind the numbers."""
        found = []
        missing = sorted(set(self.plan.split.held_out) - self.episodes)
        if missing:
            found.append(
                f"{len(missing)} held-out episodes are not in the predictions, the first is {missing[0]}: left out"
            )
        unlearnt = [LEARNING[name] for name in self.plan.rivals if name in LEARNING and not self.plan.split.train]
        if unlearnt:
            found.append(f"no training episodes, so no {' and no '.join(unlearnt)} to compare with")
        if self.searched > 1:
            found.append(f"nearest neighbour searched 1 of every {self.searched} training episodes, to fit in memory")
        for file in self.files:
            said = str(file.metadata.get("data_identity") or "")
            if said and said != self.dataset.identity():
                found.append(
                    f"{file.checkpoint} says it was predicted on other data (content {said}, this dataset is "
                    f"{self.dataset.identity()}): check that its frames are these"
                )
        return found


def _training(dataset: LeRobotFolder, plan: Plan) -> Stats:
    rng = np.random.default_rng(plan.seed)
    if plan.split.train:
        source = f"{len(plan.split.train)} training episodes of {dataset.root.name}"
        return training_stats(dataset.batches(plan.split.train), rng, source)
    source = f"all {len(dataset.episodes)} episodes of {dataset.root.name} (none is left for training)"
    return training_stats(dataset.batches(), rng, source)


def _measure_rivals(scene: Scene, sparse: bool) -> list[Meter]:
    """The rivals on the frames that the checkpoints answered, or on every held-out frame where there are none."""
    plan, dataset = scene.plan, scene.dataset
    rivals = _fitted(scene)
    meters = {name: Meter(rival.name, scene.yardstick, rival=True) for name, rival in rivals.items()}
    episodes = sorted(scene.episodes) if sparse else list(plan.split.held_out)
    for recorded in dataset.batches(episodes, columns=scene.labels.columns):
        for name, rival in rivals.items():
            answer = rival.predict(recorded, scene.yardstick.horizon)
            if sparse:
                answer = scene.answered(answer)
            phase = scene.labels.of(recorded)
            pairs = pair(answer, recorded, phase=phase, phases=scene.labels.rule.phases, skip=scene.skip)
            meters[name].update(pairs, recorded, undefined=rival.undefined)
    scene.episodes.update(episodes)
    return list(meters.values())


def _fitted(scene: Scene) -> dict[str, Rival]:
    """The plan's rivals, those that learn having seen the training episodes; without any they are left out."""
    nearest = NearestNeighbour()
    made: dict[str, Rival] = {
        "hold": HoldLast(),
        "state": StateAsAction(scene.plan.layout),
        "mean": TaskMean(scene.plan.layout),
        "nearest": nearest,
    }
    chosen = [name for name in scene.plan.rivals if scene.plan.split.train or name not in LEARNING]
    for name in chosen:
        if name in LEARNING:
            made[name].fit(scene.dataset.batches(scene.plan.split.train))
    scene.searched = nearest.every
    return {name: made[name] for name in chosen}
