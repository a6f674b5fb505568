"""The errors record: everything that `surehand errors` found, for every reader to print or draw."""

from pydantic import Field

from surehand.decide.choice import Choice
from surehand.formats.records import Number, Part, Record


class Value(Part):
    """A number with its interval; low and high are NaN where the data support none."""

    value: Number
    low: Number = float("nan")
    high: Number = float("nan")
    note: str = ""  # "undefined: the rival's error is below the floor", ...


class GroupInfo(Part):
    """What the layout says of one group, and what the training data say of it."""

    name: str
    joints: list[str]
    units: list[str]
    kinds: list[str]
    dead: list[str] = Field(default_factory=list)  # joints left out of the headline
    idle: bool = False  # hardly moves in the recording
    floor: Number = 0.0  # errors below this are noise level, in the record's space


class GripperEvents(Part):
    """Recorded gripper transitions against predicted ones, within the declared tolerance."""

    recorded: int
    matched: int
    missed: int
    spurious: int
    censored: int
    delay_frames: Number  # mean signed timing error of matched events
    delay_seconds: Number
    off_frames: Number = float("nan")  # mean size of that timing error, early or late
    spurious_outside: Number = float("nan")  # spurious events per frame, farther than the tolerance from recorded ones
    tolerance_frames: int
    polarity: str
    range: str
    error_inside: Number = float("nan")  # of this gripper, where phases are windows around recorded transitions
    error_outside: Number = float("nan")


class Motion(Part):
    """How much the prediction moves compared with the recording, per group."""

    path_ratio: Number
    jerk_ratio: Number
    boundary_jump: Number


class Stochastic(Part):
    """K draws per frame: error of the mean, of one draw, best of K, and the energy score, per group and total."""

    draws: int
    mean_of_k: dict[str, Value]
    one_draw: dict[str, Value]
    best_of_k: dict[str, Value]
    energy_score: dict[str, Value]
    energy_space: str


class TaskSpace(Part):
    """Tool-pose error through the robot's model; shares are withheld (NaN) where the linearisation fails."""

    model: str
    site: str
    position: Value  # metres
    orientation: Value  # radians
    shares: dict[str, Number]
    withheld: Number  # share of frames whose group shares were withheld


class Trace(Part):
    """Recorded and predicted values of one joint through one episode, for the eye."""

    episode: int
    joint: str
    unit: str
    frame: list[int]
    recorded: list[Number]
    predicted: list[Number]


class EpisodeErrors(Part):
    """Errors episode by episode, in the order of ErrorsRecord.episodes: what a later choice resamples."""

    pairs: list[int]  # (frame, step) pairs scored in each episode (E,)
    errors: dict[str, list[Number]]  # group -> (E,), NaN where an episode has no pair


class PolicyErrors(Part):
    """Everything measured of one checkpoint or rival. Dicts are keyed by group, "total" among them."""

    name: str
    rival: bool = False
    step: int | None = None  # training step parsed from the name
    frames: int
    episodes: int
    chunks_with_all_steps: int
    errors: dict[str, Value]  # groups and "total" (live dims), "total (all dims)"
    episode_weighted: dict[str, Value]
    joints: dict[str, Number]
    shares: dict[str, Number] = Field(default_factory=dict)  # group -> its part of the total's squared error, sums to 1
    other_spaces: dict[str, dict[str, Number]] = Field(default_factory=dict)  # space -> group -> error
    phases: dict[str, dict[str, Value]] = Field(default_factory=dict)
    tasks: dict[str, dict[str, Value]] = Field(default_factory=dict)
    horizon: dict[str, list[Number]] = Field(default_factory=dict)  # group -> (H,) on fully valid chunks
    executed: dict[str, Value] = Field(default_factory=dict)  # the executed prefix
    skill: dict[str, dict[str, Value]] = Field(default_factory=dict)  # rival -> group -> 1 − error ratio
    by_episode: EpisodeErrors
    phases_by_episode: dict[str, EpisodeErrors] = Field(default_factory=dict)
    gripper: dict[str, GripperEvents] = Field(default_factory=dict)  # per gripper group
    motion: dict[str, Motion] = Field(default_factory=dict)
    stochastic: Stochastic | None = None
    task_space: TaskSpace | None = None
    traces: list[Trace] = Field(default_factory=list)


class Methods(Part):
    """The block that ends every page: how these numbers were made."""

    split: str
    seed: int
    space: str
    normalisation: str
    weighting: str
    unit: str
    intervals: str
    horizon: int
    executed: int
    phases: str
    chosen: str
    data: str  # folder name, content hash, episodes and frames
    notes: list[str] = Field(default_factory=list)


class ErrorsRecord(Record):
    """One evaluation: a dataset's held-out episodes against checkpoints and rivals, in one named space."""

    kind: str = "errors"

    dataset: str
    data_hash: str
    layout: str
    robot: str
    evidence: list[str]  # why this layout
    space: str  # robot, normalised:mean_std, range, std
    unit_note: str  # how to read the numbers of that space
    groups: list[GroupInfo]
    episodes: list[int]
    episode_tasks: list[str]
    cluster: str = ""  # column whose values are resampled whole; "" where the unit is the episode
    clusters: list[str] = Field(default_factory=list)  # its value per episode, same order; empty without a column
    level: float
    phases: list[str]
    policies: list[PolicyErrors]
    warnings: list[str]
    choice: Choice | None = None
    methods: Methods
