"""GR00T's messages: the recipe of its servers reads ours and the other way round; malformed bytes stop at us."""

import io
import json
import os
import pickle
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from surehand.exceptions import FormatError, SurehandError

msgpack = pytest.importorskip("msgpack") if os.environ.get("CI") != "true" else __import__("msgpack")

from surehand.wire.gr00t import from_npy, npy_bytes, pack, unpack  # noqa: E402

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
VIEWS = ARRAYS.map(lambda a: a.T)  # in Fortran's order, which .npy keeps
LEAVES = st.one_of(ARRAYS, VIEWS, st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(), st.binary())
NAMES = st.text().filter(lambda name: name not in ("nd", "complex") and not name.startswith("__"))
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return (left.dtype.str, left.shape, left.tobytes()) == (right.dtype.str, right.shape, right.tobytes())
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def saved(array: np.ndarray, **more: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


def theirs(found: Any) -> Any:
    """An array as numpy itself writes it."""
    return {"__ndarray_class__": True, "as_npy": saved(found, allow_pickle=False)}


@given(TREES)
def test_a_message_comes_back(tree: Any) -> None:
    assert same(tree, unpack(pack(tree)))
    assert same(tree, unpack(msgpack.packb(tree, default=theirs)))


@given(ARRAYS | VIEWS)
@example(np.zeros((), "<f4"))
@example(np.zeros((0, 3), ">i8"))
def test_numpy_reads_our_arrays_and_we_read_its(array: np.ndarray) -> None:
    assert same(array, np.load(io.BytesIO(npy_bytes(array)), allow_pickle=False))
    found = from_npy(saved(array))
    assert same(array, found) and found.flags.f_contiguous == np.asarray(array).flags.f_contiguous


@given(ARRAYS)
def test_what_n17_answers(array: np.ndarray) -> None:
    """The encoding of the msgpack-numpy package, keys in bytes."""
    sent = {b"nd": True, b"type": array.dtype.str, b"kind": b"", b"shape": array.shape, b"data": array.tobytes()}
    assert same(np.ascontiguousarray(array).reshape(array.shape), unpack(msgpack.packb(sent)))
    number = {b"nd": False, b"type": "<f8", b"data": np.float64(2.5).tobytes()}
    assert unpack(msgpack.packb([number])) == [2.5]


@pytest.mark.parametrize("mark", ["__ModalityConfig_class__", "__ModalityConfig__"])
def test_a_configuration_is_a_dict(mark: str) -> None:
    fields = {"delta_indices": [0, 1], "modality_keys": ["arm"]}
    for sent in (fields, json.dumps(fields)):  # N1.6, N1.5
        assert unpack(msgpack.packb({"action": {mark: True, "as_json": sent}})) == {"action": fields}
    for wrong in ("{", "[" * 10_000, "3", None, 4):
        with pytest.raises(FormatError, match="a configuration that is"):
            unpack(msgpack.packb({mark: True, "as_json": wrong}))


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    box = np.array([Trap(trap)], dtype=object)
    raw = pickle.dumps(Trap(trap))
    for sent in (
        {"__ndarray_class__": True, "as_npy": saved(box, allow_pickle=True)},
        {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": raw},
        {b"nd": True, b"type": "|O", b"kind": b"", b"shape": [1], b"data": raw},
        {b"nd": True, b"type": b"|V8", b"kind": b"V", b"shape": [1], b"data": bytes(8)},
        {b"complex": True, b"data": b"1j"},
    ):
        with pytest.raises(FormatError, match="plain numbers"):
            unpack(msgpack.packb(sent))
    assert not trap.exists()


def header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + data


@pytest.mark.parametrize(
    "npy",
    [
        None, "text", b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", header("", version=3),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9999999999, 9999999999), }"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", bytes(4)),
        header("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }", bytes(4)),
        header("{'descr': '<f4', 'shape': (1,), }", bytes(4)),
        header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", bytes(4)),
        header("{'descr': (1,), 'fortran_order': False, 'shape': '<f4', }", bytes(4)),
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", bytes(4)),
        header("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
        header("__import__('os').system('true')"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } or open('x')", bytes(4)),
        header(" " * 60_000),
        saved(np.arange(4.0))[:-1], saved(np.arange(4.0)) + b"x",
        saved(np.zeros(2, [("a", "<f4"), ("b", "<i4")])), saved(np.array(["text"])),
    ],
)  # fmt: skip
def test_what_is_no_array_of_plain_numbers(npy: Any) -> None:
    with pytest.raises(FormatError, match=r"^an array") as caught:
        unpack(msgpack.packb({"__ndarray_class__": True, "as_npy": npy}))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_the_forms_of_header_that_other_writers_use() -> None:
    row = np.arange(2, dtype="<f4")
    for text in (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }   \n",
        "{'shape':(2,),'descr':'<f4','fortran_order':True}",
    ):
        for version in (1, 2):
            np.testing.assert_array_equal(from_npy(header(text, row.tobytes(), version)), row)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\xc1\xff\x00 no msgpack", msgpack.packb([1, 2])[:-1], msgpack.packb({"a": 1}) + b"\x00",
     msgpack.packb(msgpack.ExtType(4, b"x")), b"\x81\x90\x01", b"\x91" * 2000 + b"\x01", b"\xdd\xff\xff\xff\xff\x01",
     b"\xa2\xff\xfe"],
)  # fmt: skip
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        unpack(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [object(), {1}, np.array([object()]), np.zeros(1, "c8"), 2**70, np.array(["a"])])
def test_what_cannot_be_sent(value: Any) -> None:
    with pytest.raises(FormatError, match="cannot be sent as msgpack"):
        pack({"x": [value]})
    assert unpack(pack({"x": np.float32(2), "y": np.int8(-1)})) == {"x": 2.0, "y": -1}


WHOLE = pack({"action.arm": np.arange(12, dtype="<f4").reshape(4, 3), "info": {"a": [1, "b", None]}})


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        unpack(data)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    tracemalloc.start()
    try:
        unpack(bytes(whole))
    except FormatError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 2_000_000


def test_packing_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(SurehandError, match=r"pip install 'surehand\[gr00t\]'"):
        pack({})
