"""Observations and answers as openpi sends them: msgpack, with arrays as dicts of bytes, dtype and shape.

An array is {b"__ndarray__": True, b"data": bytes, b"dtype": "<f4", b"shape": [2, 3]}, a numpy scalar
{b"__npgeneric__": True, b"data": value, b"dtype": "<f4"} (openpi-client 0.1.2; other keys than PyPI's msgpack-numpy).
"""

import math
import re
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.wire.msgpack_scan import check_message

ARRAY, SCALAR = b"__ndarray__", b"__npgeneric__"

# Booleans, numbers, bytes, text and times of a stated width; no objects, records or complex numbers.
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16)|[SU][1-9]\d{0,8}|[Mm]8(\[\d{0,9}[A-Za-zμ]{1,7}\])?)")
_SCALARS: dict[str, Any] = {"b": bool, "i": int, "u": int, "f": (float, int), "S": bytes, "U": str}


def pack(message: Any) -> bytes:
    """The message as bytes; FormatError for what openpi's encoding has no form for (complex, records, objects)."""
    try:
        return bytes(_msgpack().packb(message, default=_encode))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(
            f"this cannot be sent as msgpack ({error}); send numbers, text, arrays, lists and dicts"
        ) from None


def unpack(data: bytes) -> Any:
    """The message in these bytes, its arrays read-only; FormatError for anything that is not one, whole and honest."""
    data = bytes(data)
    check_message(data)
    try:
        return _msgpack().unpackb(data, object_hook=_decode)
    except FormatError:
        raise
    except Exception as error:  # msgpack and numpy raise a dozen kinds for bytes that are not a message
        raise FormatError(f"a message of {len(data)} bytes is not msgpack ({error})") from None


def _encode(value: Any) -> Any:
    """The form of an array or a numpy scalar, as openpi's packer writes it, key by key."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "VOc":
        raise TypeError(f"dtype {value.dtype}")
    if isinstance(value, np.ndarray):
        return {ARRAY: True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    if isinstance(value, np.generic):
        plain = value.item()
        # Python has no number for it, or it loses its unit.
        if isinstance(plain, np.generic) or value.dtype.kind in "Mm":
            raise TypeError(f"a scalar of dtype {value.dtype}")
        return {SCALAR: True, b"data": plain, b"dtype": value.dtype.str}
    raise TypeError(f"a {type(value).__name__}")


def _decode(found: dict[Any, Any]) -> Any:
    """The array or scalar that a dict stands for, every other dict as it is."""
    if ARRAY in found:
        return _array(found)
    if SCALAR in found:
        return _scalar(found)
    return found


def _array(found: dict[Any, Any]) -> np.ndarray:
    data, shape, dtype = found.get(b"data"), found.get(b"shape"), _dtype(found, b"shape")
    if not isinstance(shape, list) or not isinstance(data, bytes) or not _counts(shape):
        raise FormatError(
            f"an array in a message states the shape {shape!r:.80}; expected up to 32 counts, and its bytes"
        )
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(data):
        raise FormatError(f"an array {shape!r:.80} of {dtype} takes {needed} bytes; the message holds {len(data)}")
    array = np.ndarray(shape, dtype, data)
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise FormatError("an array of booleans in a message holds bytes other than 0 and 1; it is damaged")
    letters = np.dtype("u4").newbyteorder(dtype.byteorder)
    if dtype.kind == "U" and np.frombuffer(data, letters).max(initial=0) > 0x10FFFF:
        raise FormatError("an array of text in a message holds codes that are no letters; it is damaged")
    return array


def _counts(shape: list[Any]) -> bool:
    return len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)


def _scalar(found: dict[Any, Any]) -> Any:
    data, dtype = found.get(b"data"), _dtype(found)
    if dtype.kind not in _SCALARS or not isinstance(data, _SCALARS[dtype.kind]):
        raise FormatError(f"a scalar of {dtype} in a message holds {data!r:.60}")
    return dtype.type(data)


def _dtype(found: dict[Any, Any], *more: bytes) -> np.dtype[Any]:
    """The dtype an encoded array or scalar states, its keys and mark being the ones there should be."""
    mark = SCALAR if SCALAR in found else ARRAY
    stated = found.get(b"dtype")
    if set(found) != {mark, b"data", b"dtype", *more} or found[mark] is not True:
        raise FormatError(f"an array in a message has the keys {list(found)!r:.120}; expected data, dtype and shape")
    if not isinstance(stated, str) or not _DTYPE.fullmatch(stated):
        raise FormatError(
            f"an array in a message is of dtype {stated!r:.60}; expected numbers, text or times, as '<f4'"
        )
    return np.dtype(stated)


def _msgpack() -> Any:
    try:
        import msgpack  # type: ignore[import-untyped]
    except ImportError:
        raise SurehandError("openpi's encoding needs msgpack; pip install 'surehand[remote]'") from None
    return msgpack
