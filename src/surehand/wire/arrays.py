"""An array out of bytes that somebody sent: plain numbers, as many as its shape says, or a FormatError."""

import re
from typing import Any

import numpy as np

from surehand.exceptions import FormatError

_PLAIN = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248])|bool|u?int(?:8|16|32|64)|float(?:16|32|64)")


def array_of(data: bytes, dtype: Any, shape: Any, fortran: bool = False) -> np.ndarray:
    """The array of `shape` that `data` holds, a read-only view; FormatError unless dtype, shape and length agree.

    Objects, structures, text and complex numbers are refused: the first would need pickle, and none is an action or
    a picture. Nothing is allocated for a shape that the bytes do not fill.
    """
    if not isinstance(dtype, str) or not _PLAIN.fullmatch(dtype):
        raise FormatError(f"an array of dtype {_short(dtype)}; only plain numbers are read from the wire")
    kind = np.dtype(dtype)
    sizes = isinstance(shape, list | tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not sizes or len(shape) > 32:  # more of them would take for ever to multiply
        raise FormatError(f"an array of shape {_short(shape)}; expected up to 32 sizes")
    wanted = kind.itemsize
    for size in shape:
        wanted *= size
    if len(data) != wanted:
        what = f"an array of shape {_short(tuple(shape))} and dtype {dtype}"
        raise FormatError(f"{what} in {len(data)} bytes; it needs {_short(wanted)}")
    try:
        return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # an empty array whose other sizes are beyond what numpy can count
        raise FormatError(f"an array of shape {_short(tuple(shape))}: {error}") from None


def _short(value: Any) -> str:
    """At most 60 characters of what was found."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "a number beyond all bounds"
    return text if len(text) <= 60 else text[:57] + "..."
