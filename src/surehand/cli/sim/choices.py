"""What the options of `surehand sim` may be."""

from enum import StrEnum


class Task(StrEnum):
    """What the robot can be told to do."""

    pick = "pick"
    place = "place"
    press = "press"
    push = "push"


class Body(StrEnum):
    """The robots there are."""

    mobile = "mobile"
    desk = "desk"


class Camera(StrEnum):
    """Where a picture is taken from."""

    head = "head"
    hand = "hand"


class View(StrEnum):
    """What a film is seen from: the robot's cameras, or beside the table."""

    side = "side"
    head = "head"
    hand = "hand"


class Version(StrEnum):
    """Dataset formats."""

    v30 = "v3.0"
    v21 = "v2.1"
