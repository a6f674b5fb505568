"""Rules that choose a checkpoint of a training run, as data: `std/arm@near` is a name, a column and a space at once."""

from dataclasses import dataclass

from surehand.exceptions import SurehandError

SPACES = {"robot": "robot units", "std": "std units"}
PARTS = {"": "", "near": "near contact", "first": "first action"}
TOOL, VALIDATION, TRAIN = "tool position", "validation loss", "train loss"
LAST, RANDOM = "last checkpoint", "random checkpoint"
OFFLINE = "offline/"  # before the space: a number from elsewhere, in any space and of any part
OTHERS = {TOOL: "metres", VALIDATION: "learner's own", TRAIN: "learner's own", LAST: "", RANDOM: ""}


@dataclass(frozen=True)
class Selector:
    """One rule: an error column (a group, `total` or `minimax`) in a space and a part, or one of OTHERS."""

    name: str
    column: str = ""
    space: str = ""  # robot, std; "" for rules that are no action error
    part: str = ""  # near, first; "" for whole chunks; a phase, a step, executed for numbers from elsewhere

    @classmethod
    def parse(cls, name: str) -> "Selector":
        """The rule of this name; SurehandError where the spelling names none.

        >>> Selector.parse("std/arm@near").label
        'arm near contact'
        """
        if name in OTHERS:
            return cls(name)
        if name.startswith(OFFLINE) and name.count("/") > 1:
            space, _, rest = name.removeprefix(OFFLINE).partition("/")
            column, _, part = rest.partition("@")
            return cls(name, column, space, part)
        space, slash, rest = name.partition("/")
        column, at, part = rest.partition("@")
        if not slash or space not in SPACES or not column or (at and part not in ("near", "first")):
            raise SurehandError(
                f"unknown selector {name!r}; expected robot/COLUMN or std/COLUMN, then @near or @first where wanted, "
                f"or one of {', '.join(OTHERS)}"
            )
        return cls(name, column, space, part)

    @property
    def label(self) -> str:
        """The rule in words, without its space."""
        if not self.column:
            return self.name
        part = PARTS.get(self.part, f"step {self.part}" if self.part.isdecimal() else self.part)
        return f"{self.column} {part}".rstrip()

    @property
    def space_label(self) -> str:
        """The space in words: what the numbers behind the rule are measured in."""
        return SPACES.get(self.space, self.space) if self.column else OTHERS[self.name]

    def __str__(self) -> str:
        return f"{self.label} ({self.space_label})" if self.space_label else self.label
