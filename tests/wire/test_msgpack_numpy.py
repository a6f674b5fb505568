"""openpi's encoding: every message comes back, its bytes are openpi's own, and nothing else is taken for one."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from surehand.exceptions import FormatError

msgpack = pytest.importorskip("msgpack") if os.environ.get("CI") != "true" else __import__("msgpack")

from surehand.wire.msgpack_numpy import ARRAY, SCALAR, pack, unpack  # noqa: E402

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.byte_string_dtypes(min_len=1, max_len=8),
    hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=8),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
VIEWS = ARRAYS.map(lambda a: a.T if a.ndim < 2 else a.swapaxes(0, 1)[::-1, ..., ::2])  # not contiguous
LEAVES = st.one_of(
    ARRAYS, VIEWS, st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary()
)
MESSAGES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
)


def same(left: Any, right: Any) -> bool:
    """Equality to the bit, arrays by dtype, shape and bytes (NaN equals NaN), floats by their bits."""
    if isinstance(left, np.ndarray):
        return (left.dtype.str, left.shape, left.tobytes()) == (right.dtype.str, right.shape, right.tobytes())
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return np.float64(left).tobytes() == np.float64(right).tobytes() or (left != left and right != right)
    return bool(type(left) is type(right) and left == right)


@given(MESSAGES)
def test_a_message_comes_back(message: Any) -> None:
    assert same(message, unpack(pack(message)))


@pytest.mark.parametrize(
    "value", [np.float32(1.5), np.float16(0.1), np.int8(-3), np.uint64(2**64 - 1), np.bool_(True)], ids=repr
)
def test_a_numpy_scalar_keeps_its_type(value: np.generic) -> None:
    found = unpack(pack({"x": value}))["x"]
    assert type(found) is type(value) and found == value


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2, complex),
        np.array([{}], object),
        np.zeros(2, [("a", "f4")]),
        np.complex64(1),
        np.longdouble(1),
        np.datetime64("2026-01-01"),
        {1, 2},
        object(),
        2**64,
        "\ud800",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_refused_before_it_is_sent(value: Any) -> None:
    with pytest.raises(FormatError, match="cannot be sent as msgpack"):
        pack({"x": value})


def test_a_message_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(FormatError, match="cannot be sent"):
        pack(endless)


def array(**changes: Any) -> bytes:
    form: dict[bytes, Any] = {ARRAY: True, b"data": bytes(8), b"dtype": "<f4", b"shape": [2]}
    return bytes(msgpack.packb({**form, **{key.encode(): value for key, value in changes.items()}}))


LIES = [
    array(shape=[3]),
    array(shape=[1]),
    array(shape=[]),
    array(shape=[2**40]),
    array(shape=[2**62, 2**62]),
    array(shape=[-2]),
    array(shape=[-2, -1]),
    array(shape=[2.0]),
    array(shape=[True, 2]),
    array(shape=2),
    array(shape=None),
    array(shape=[1] * 40 + [2]),
    array(shape=[0, 2**62, 2**62], data=b""),
    array(dtype="O"),
    array(dtype="|O8"),
    array(dtype="f4,f4", shape=[1]),
    array(dtype="V8", shape=[1]),
    array(dtype="<c8", shape=[1]),
    array(dtype="S0", shape=[10**9], data=b""),
    array(dtype="<U0", shape=[10**9], data=b""),
    array(dtype="<f12"),
    array(dtype="<f3"),
    array(dtype="(2,)f4"),
    array(dtype=b"<f4"),
    array(dtype=None),
    array(dtype="|b1", data=b"\x02", shape=[1]),
    array(dtype="<U1", data=b"\xff\xff\xff\x7f", shape=[1]),
    array(dtype="<M8[xx]", shape=[1]),
    array(data="eight by"),
    array(data=None),
    array(more=1),
    array(__ndarray__=False),
    msgpack.packb({ARRAY: True}),
    msgpack.packb({SCALAR: True, b"data": 300, b"dtype": "|u1"}),
    msgpack.packb({SCALAR: True, b"data": "x", b"dtype": "<f4"}),
    msgpack.packb({SCALAR: True, b"data": 1, b"dtype": "<M8[s]"}),
    msgpack.packb({SCALAR: True, b"data": 10**9, b"dtype": "S999999999"}),
    msgpack.packb({SCALAR: True, b"data": {}, b"dtype": "O"}),
    msgpack.packb(msgpack.ExtType(5, b"abc")),
    msgpack.packb({"t": msgpack.Timestamp(1, 2)}),
    msgpack.packb({1: 2}),
    msgpack.packb({"x": 1}) + b"\x00",
    b"",
    b"\xc1",
    b"\xd9\x02\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x7f\xff\xff\xff\x00",
    b"\xc6\xff\xff\xff\xff",
    b"\x91" * 40 + b"\x00",
    b"\x91" * 5000 + b"\x00",
    b"Traceback (most recent call last)",
]


@pytest.mark.parametrize("data", LIES, ids=lambda data: repr(data)[:60])
def test_a_lie_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        unpack(data)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=200))
@example(b"\x81\x01\x02")
def test_random_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        unpack(data)
    except FormatError:
        pass


@given(MESSAGES, st.data())
def test_a_cut_message_is_refused(message: Any, data: st.DataObject) -> None:
    whole = pack(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FormatError, match="breaks off"):
        unpack(whole[:cut])


@given(MESSAGES, st.data())
def test_a_changed_message_is_a_message_or_refused(message: Any, data: st.DataObject) -> None:
    changed = bytearray(pack(message))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        repr(unpack(bytes(changed)))  # what was let through can be looked at
    except FormatError:
        pass


def test_long_lists_of_numbers_pass() -> None:
    for values in ([0.5] * 5000, [*range(5000)], [0.5] * 5000 + [1], [[0.5] * 20] * 50):
        assert unpack(pack({"x": values, "y": 1})) == {"x": values, "y": 1}
        with pytest.raises(FormatError):
            unpack(pack(values)[:-1])


NESTED = b"\xdd\x00\x0f\x00\x00" * 1000 + bytes(1_000_000)  # each list claims a million items: 8 GB if believed


@pytest.mark.parametrize(
    ("hostile", "words"),
    [(NESTED, "nests deeper"), (b"\xdd\xff\xff\xff\xff\xcb", "breaks off")],
    ids=["nested", "long"],
)
def test_a_lying_header_reserves_no_memory(hostile: bytes, words: str) -> None:
    code = (
        "import sys; from surehand.exceptions import FormatError; from surehand.wire.msgpack_numpy import unpack\n"
        "unpack(b'\\x90')\n"
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))\n"
        "try: unpack(sys.stdin.buffer.read())\n"
        "except FormatError as error: print(error)"
    )
    call = [sys.executable, "-c", code, str(2 << 30)]
    found = subprocess.run(call, input=hostile, capture_output=True, timeout=60, check=True)
    assert words in found.stdout.decode(), found


def test_the_bytes_are_those_of_openpis_own_packer(openpi_python: str) -> None:
    code = """if True:
        import sys, json, numpy as np
        from openpi_client import msgpack_numpy as theirs
        made = eval(sys.argv[1])
        ours = bytes.fromhex(sys.stdin.read())
        there = theirs.unpackb(ours)
        again = theirs.packb(there)
        print(json.dumps({"packed": theirs.packb(made).hex(), "again": again.hex()}))
    """
    written = """{
        "state": np.arange(7.0), "half": np.float16([1, 2]), "big": np.arange(3, dtype=">i4"), "none": np.zeros((0, 3)),
        "scalar": np.float32(0.1), "flag": np.bool_(True), "zero": np.array(3, np.int8), "list": [1, 2.5, None, "x"],
        "picture": np.arange(48, dtype=np.uint8).reshape(4, 4, 3)[::-1, :, ::-1], "text": np.array(["a", "bc"]),
        "nested": {"deep": {"actions": np.ones((2, 3), np.float32)}}, "double": np.float64(2.0), "bytes": b"raw",
    }"""
    ours = pack(eval(written))
    call = [openpi_python, "-c", code, " ".join(written.split())]
    theirs = json.loads(subprocess.run(call, input=ours.hex(), text=True, check=True, capture_output=True).stdout)
    assert theirs["packed"] == ours.hex() and theirs["again"] == ours.hex()
    assert pack(unpack(ours)) == ours
