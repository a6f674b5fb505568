"""What goes wrong, as one line for a person: what was expected, what came, what to do next."""


class SurehandError(Exception):
    """Bad input or a question the data cannot answer; the command line prints it as one line and exits with 2."""


class FormatError(SurehandError):
    """A file is missing, truncated, of the wrong version, or lacks a field."""


class ShapeError(SurehandError):
    """Counts or shapes that must agree do not."""


class SpaceError(SurehandError):
    """Numbers of different spaces (robot units, normalised, delta, absolute) would have been mixed."""


class NotEnoughData(SurehandError):
    """Too few episodes, draws or trials for the claim asked for; the message says how many would do."""


class StoreError(SurehandError):
    """The store of trials cannot be reached or written just now, and nothing was acknowledged: try again later."""
