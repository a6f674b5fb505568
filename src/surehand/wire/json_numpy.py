"""JSON with arrays in it, as OpenVLA's servers speak it: {"__numpy__": base64, "dtype": ..., "shape": [...]}.

The encoding of the json-numpy package, without patching anything; structured dtypes are refused.
"""

import base64
import binascii
import json
from typing import Any

import numpy as np

from surehand.exceptions import FormatError
from surehand.wire.arrays import array_of

_MARK = "__numpy__"


def encode(value: Any) -> str:
    """JSON of dicts, lists, text, numbers and arrays of numbers; FormatError for anything else.

    >>> encode({"state": np.zeros(1, np.float32)})
    '{"state": {"__numpy__": "AAAAAA==", "dtype": "<f4", "shape": [1]}}'
    """
    try:
        return json.dumps(value, default=_encoded)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"cannot be sent as JSON: {error}") from None


def decode(text: str | bytes) -> Any:
    """What `encode` was given, arrays read-only; FormatError for what is no JSON or holds a malformed array."""
    try:
        return json.loads(text, object_hook=_decoded)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON ({error})") from None


def _encoded(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"a {type(value).__name__} has no place in JSON")
    found = np.asarray(value)
    if found.dtype.kind not in "biuf" or found.dtype.itemsize > 8:
        raise TypeError(f"an array of dtype {found.dtype}; only plain numbers are sent")
    data = base64.b64encode(np.ascontiguousarray(found).tobytes()).decode("ascii")
    return {_MARK: data, "dtype": found.dtype.str, "shape": list(found.shape)}


def _decoded(found: dict[str, Any]) -> Any:
    if _MARK not in found:
        return found
    text = found[_MARK]
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None:
        raise FormatError(f"{_MARK} holds {type(text).__name__} that is not base64")
    array = array_of(data, found.get("dtype"), found.get("shape"))
    return array if array.shape else array[()]
