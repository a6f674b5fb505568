"""Recorded states, as rivals may use them: every number finite, or refused by name."""

import numpy as np

from surehand.exceptions import SurehandError
from surehand.frames import Actions, usable


def finite_state(recorded: Actions) -> np.ndarray:
    """The recorded states (N, S); SurehandError names the first NaN or infinity."""
    assert recorded.state is not None
    bad = ~usable(recorded.state)
    if bad.any():
        row, dim = (int(i) for i in np.argwhere(bad)[0])
        raise SurehandError(
            f"state of episode {recorded.episode[row]}, frame {recorded.frame[row]}, dimension {dim}: "
            f"{recorded.state[row, dim]} ({int(bad.sum())} such values); repair it, or leave out the rivals that use "
            "states (--rivals hold,mean)"
        )
    return recorded.state
