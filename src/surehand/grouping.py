"""Joint groups guessed from a dataset's names alone, for robots that nobody has described yet."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from surehand.exceptions import ShapeError
from surehand.layout import PAD, Joint, Kind, Layout

Side = Literal["", "left", "right"]

# First match wins, so a gripper on an arm is a gripper and a wrist's roll is no orientation.
_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("gripper", frozenset({"gripper", "claw", "jaw"})),
    ("hand", frozenset({"hand", "finger", "thumb", "index", "middle", "ring", "pinky", "little"})),
    ("head", frozenset({"head", "neck", "antenna", "antennas"})),
    ("leg", frozenset({"leg", "hip", "knee", "ankle"})),
    ("base", frozenset({"base", "chassis", "wheel", "linear", "angular", "theta"})),
    ("arm", frozenset({"arm", "shoulder", "elbow", "wrist", "forearm", "upperarm"})),
    ("torso", frozenset({"torso", "waist", "trunk", "lift"})),
    ("rot", frozenset({"roll", "pitch", "yaw", "rx", "ry", "rz", "qx", "qy", "qz", "qw", "rot", "ori", "orientation"})),
    ("pos", frozenset({"x", "y", "z"})),
)
_SIDED = ("arm", "hand", "gripper", "leg", "pos", "rot", "joints")
_PLANE = frozenset({"x", "y", "theta", "vx", "vy", "vtheta"})
_NUMBERED = frozenset({"joint", "motor", "j", "q", "m", "dof", "dim"})
# What a suffix says about the numbers: (ending, kind, unit).
_SUFFIXES: tuple[tuple[str, Kind, str], ...] = (
    (".pos", "unknown", ""),
    (".vel", "velocity", ""),
    ("_vel", "velocity", ""),
    ("_velocity", "velocity", ""),
    (".qpos", "unknown", ""),
    (".q", "unknown", ""),
    ("_rad", "revolute", "rad"),
    ("_deg", "revolute", "deg"),
    ("_mm", "unknown", "mm"),
    ("_state_diff", "unknown", ""),
    ("_relative", "unknown", ""),
    ("_joint", "unknown", ""),
)
_PADDING = re.compile(r"(zero|pad|padding)_?\d*", re.ASCII)


@dataclass(frozen=True)
class ReadName:
    """A column's name taken apart: its words in lower case, its side, and what its suffix says of the numbers."""

    words: tuple[str, ...]
    side: Side
    kind: Kind
    unit: str

    @property
    def canonical(self) -> str:
        """One spelling for what datasets write as kLeftElbow, left_elbow.pos or l_elbow_joint."""
        return "_".join(([self.side] if self.side else []) + list(self.words))


def read_name(name: str) -> ReadName:
    """The name without prefix, side and suffixes.

    >>> read_name("kLeftShoulderPitch.q").canonical, read_name("left_arm_joint_1_rad").unit
    ('left_shoulder_pitch', 'rad')
    """
    stem, kind, unit = _strip_suffixes(name)
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", re.sub(r"^k(?=[A-Z])", "", stem))
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    side: Side = ""
    for i, word in enumerate(words):
        # A lone l or r is a side only in front; elsewhere it may be a stick or a link.
        if word in ("left", "right") or (i == 0 and word in ("l", "r") and len(words) > 1):
            side = "left" if word[0] == "l" else "right"
            del words[i]
            break
    return ReadName(tuple(words), side, kind, unit)


def is_padding(name: str) -> bool:
    """Whether the name says that the column holds nothing: zero_5, pad, padding_3."""
    return _PADDING.fullmatch(name.lower()) is not None


def auto_layout(names: Sequence[str]) -> Layout:
    """The layout that the names suggest, joints named as the dataset spells them; raises ShapeError without names.

    Left and right sides become groups of their own; words nobody knows go to the group "other"; kinds and units are
    given only where the name says so (gripper, .vel, _rad, _deg, _mm).

    >>> str(auto_layout(["shoulder_pan.pos", "elbow_flex.pos", "gripper.pos", "x.vel", "y.vel"]))
    'arm(shoulder_pan.pos elbow_flex.pos) gripper(gripper.pos):gripper base(x.vel y.vel):velocity'
    >>> str(auto_layout([f"motor_{i}" for i in range(44)]))
    'joints(motor_0..motor_43)'
    """
    if not names:
        raise ShapeError("no joint names to group; name a robot or write the layout yourself")
    read = [read_name(name) for name in names]
    groups = ["" if is_padding(name) else _group(part) for name, part in zip(names, read, strict=True)]
    # Numbered joints beside a gripper or a hand of the same side are the arm that carries it.
    held = {part.side for part, group in zip(read, groups, strict=True) if group in ("gripper", "hand")}
    joints, used = [], set[tuple[str, str]]()
    for name, part, group in zip(names, read, groups, strict=True):
        if not group:
            joints.append(PAD)
            continue
        word = "arm" if group == "joints" and (part.side in held or "" in held) else group
        full = f"{part.side}_{word}" if part.side and word in _SIDED else word
        kind: Kind = "gripper" if word == "gripper" and part.kind == "unknown" else part.kind
        joints.append(Joint(_free_name(speakable(name), full, used), full, kind, part.unit))
    return Layout(tuple(joints))


def _group(part: ReadName) -> str:
    words = set(part.words)
    velocity_or_length = part.kind == "velocity" or part.unit == "mm"
    if words and words <= _PLANE and (velocity_or_length or words & {"vx", "vy", "vtheta"}):
        return "base"
    if part.side and "waist" in words:
        return "arm"  # ALOHA's first arm joint; a torso has no sides
    for group, known in _WORDS:
        if words & known:
            return group
    plain = {word.rstrip("0123456789") for word in words} - {""}
    return "joints" if words and plain <= _NUMBERED else "other"


def _strip_suffixes(name: str) -> tuple[str, Kind, str]:
    stem, kind, unit = name, "unknown", ""
    found = True
    while found:
        found = False
        for ending, says, measured in _SUFFIXES:
            if stem.lower().endswith(ending) and len(stem) > len(ending):
                stem, found = stem[: -len(ending)], True
                kind, unit = (says if kind == "unknown" else kind), unit or measured
    return stem, kind, unit  # type: ignore[return-value]


def speakable(name: str) -> str:
    """The name with what the grammar cannot hold replaced by _, so that any dataset's names can be printed."""
    word = re.sub(r"\.{2,}", ".", re.sub(r"[^\w.\-]", "_", name, flags=re.ASCII))
    return word if re.match(r"[A-Za-z_]", word) and word != "pad" else f"_{word}"


def _free_name(name: str, group: str, used: set[tuple[str, str]]) -> str:
    """The name, counted up where the dataset used it twice in one group."""
    free, count = name, 1
    while (group, free) in used:
        count += 1
        free = f"{name}_{count}"
    used.add((group, free))
    return free
