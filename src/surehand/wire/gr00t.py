"""Messages of GR00T's policy server: msgpack, arrays as the bytes of an .npy file, configurations as JSON.

Servers up to N1.6 send arrays as they take them ("as_npy"); N1.7 answers in the encoding of the msgpack-numpy package
("nd", "type", "shape", "data") and still takes the other. Both are read, the first is sent. Nothing is unpickled.
"""

import io
import json
import re
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.wire.arrays import array_of
from surehand.wire.msgpack_scan import check_message

_HEADER_BYTES = 1024  # numpy writes 118 for plain numbers
_ENTRY = re.compile(
    r"'(?P<key>descr|fortran_order|shape)': *(?:'(?P<kind>[^']*)'|(?P<order>True|False)|\((?P<sizes>[\d, ]*)\))"
)


def pack(value: Any) -> bytes:
    """One message of dicts, lists, text, numbers and arrays of numbers; FormatError for anything else."""
    msgpack = _msgpack()
    try:
        return bytes(msgpack.packb(value, default=_packed))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"cannot be sent as msgpack: {error}") from None


def unpack(data: bytes) -> Any:
    """What the message holds, arrays read-only, configurations as dicts; FormatError for anything malformed."""
    msgpack = _msgpack()
    check_message(data)
    try:
        return msgpack.unpackb(data, object_hook=_unpacked)
    except (msgpack.UnpackException, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FormatError(f"not msgpack ({str(error) or type(error).__name__})") from None


def npy_bytes(array: np.ndarray) -> bytes:
    """The array as an .npy file."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"an array of dtype {array.dtype}; only plain numbers are sent")
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def from_npy(data: Any) -> np.ndarray:
    """The array in an .npy file's bytes, a read-only view; FormatError for any other content.

    The header is matched, not evaluated: what numpy writes is a fixed form.
    """
    if not isinstance(data, bytes) or data[:6] != b"\x93NUMPY" or len(data) < 12 or data[6] not in (1, 2):
        raise FormatError("an array that is not in .npy format, version 1 or 2")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    header = data[start:end].decode("latin-1") if end - start <= _HEADER_BYTES else ""
    found = {entry["key"]: entry for entry in _ENTRY.finditer(header)}
    rest = _ENTRY.sub("", header)
    if len(found) != 3 or not re.fullmatch(r"\{ *, *, *,? *\}\s*", rest):
        raise FormatError("an array whose .npy header is not that of plain numbers")
    kind, order, sizes = found["descr"]["kind"], found["fortran_order"]["order"], found["shape"]["sizes"]
    if kind is None or order is None or sizes is None:
        raise FormatError("an array whose .npy header is not that of plain numbers")
    shape = [int(size) if len(size) < 19 else -1 for size in sizes.replace(" ", "").split(",") if size]
    return array_of(data[end:], kind, shape, fortran=order == "True")


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"__ndarray_class__": True, "as_npy": npy_bytes(value)}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    raise TypeError(f"a {type(value).__name__} has no place in a message")


def _unpacked(found: dict[Any, Any]) -> Any:
    """An array or a configuration where the dict is a mark for one, else the dict."""
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in found.items()}
    if "__ndarray_class__" in named:
        return from_npy(named.get("as_npy"))
    if "__ModalityConfig_class__" in named or "__ModalityConfig__" in named:
        return _configuration(named.get("as_json"))
    if "nd" in named and "type" in named:
        data = named.get("data")
        if not isinstance(data, bytes) or named.get("kind") not in (None, "", b""):
            raise FormatError(f"an array of kind {str(named.get('kind'))[:20]!r}; only plain numbers are read")
        kind = named["type"].decode("latin-1") if isinstance(named["type"], bytes) else named["type"]
        return array_of(data, kind, named.get("shape")) if named["nd"] else array_of(data, kind, [])[()]
    if "complex" in named:
        raise FormatError("a complex number; only plain numbers are read")
    return named


def _configuration(found: Any) -> dict[str, Any]:
    """The fields of a configuration: JSON text up to N1.5, a dict since."""
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"a configuration that is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise FormatError(f"a configuration that is a {type(found).__name__}")
    return found


def _msgpack() -> Any:
    try:
        import msgpack  # type: ignore[import-untyped]
    except ImportError:
        raise SurehandError("GR00T's server needs msgpack; pip install 'surehand[gr00t]'") from None
    return msgpack
