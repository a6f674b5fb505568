"""JSON with arrays: the json-numpy package reads what we write and the other way round; malformed bytes stop at us."""

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from surehand.exceptions import FormatError
from surehand.wire.json_numpy import decode, encode

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
VIEWS = ARRAYS.map(lambda a: a.T[::-1])  # not contiguous
LEAVES = st.one_of(ARRAYS, VIEWS, st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text())
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
).filter(lambda tree: "__numpy__" not in repr(tree))


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and (left.dtype.str, left.shape, left.tobytes()) == (
            right.dtype.str,
            right.shape,
            right.tobytes(),
        )
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


@given(TREES)
def test_what_is_encoded_comes_back(tree: Any) -> None:
    assert same(tree, decode(encode(tree)))


@given(TREES)
def test_the_package_reads_ours_and_we_read_its(need: Callable[[str], None], tree: Any) -> None:
    need("json_numpy")
    import json_numpy

    assert same(tree, json_numpy.loads(encode(tree)))
    assert same(tree, decode(json_numpy.dumps(tree)))


def test_scalars_are_numbers_again(need: Callable[[str], None]) -> None:
    need("json_numpy")
    import json_numpy

    for number in (np.float32(1.5), np.int64(-3), np.bool_(True)):
        for found in (decode(encode(number)), decode(json_numpy.dumps(number)), json_numpy.loads(encode(number))):
            assert found == number and np.asarray(found).dtype == number.dtype and np.ndim(found) == 0


def marked(data: bytes, **more: Any) -> str:
    return json.dumps({"__numpy__": base64.b64encode(data).decode(), "dtype": "<f4", "shape": [2]} | more)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "dtype", ["|O", "O", "object", "|V8", "<c8", "<U4", "<M8[s]", "f4,f4", [["a", "<f4"]], 7, None, "<f3"]
)
def test_only_plain_numbers(tmp_path: Path, dtype: Any) -> None:
    with pytest.raises(FormatError, match="only plain numbers"):
        decode(marked(pickle.dumps(Trap(tmp_path / "trap")), dtype=dtype, shape=[1]))
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "shape",
    [[3], [], [2, 0], [-2], [-1], [2.0], [True, 2], "2", None, 2, [10**12], [10**400], [2] + [1] * 40, [[2]], {}],
)
def test_a_shape_that_the_bytes_do_not_fill(shape: Any) -> None:
    with pytest.raises(FormatError, match="an array of shape"):
        decode(marked(bytes(8), shape=shape))


@pytest.mark.parametrize("shape", [[0, 2**62, 2**62], [2**70, 0]])
def test_a_shape_that_nothing_fills_beyond_all_bounds(shape: Any) -> None:
    with pytest.raises(FormatError, match="an array of shape"):
        decode(marked(b"", shape=shape))


def test_the_sizes_of_a_shape_are_counted_before_they_are_multiplied() -> None:
    for shape in ([1] * 33, [10**4000] * 100):  # a message has room for so many that their product takes for ever
        with pytest.raises(FormatError, match="expected up to 32 sizes"):
            decode(marked(bytes(4), shape=shape))


@pytest.mark.parametrize("data", ["no base64!", "AAA", 7, None, ["AAAA"], "ÄÄÄÄ", "AAAA\nAAAA"])
def test_no_base64(data: Any) -> None:
    with pytest.raises(FormatError, match="that is not base64"):
        decode(json.dumps({"__numpy__": data, "dtype": "<f4", "shape": [1]}))


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", "[" * 100_000, "9" * 10_000, '{"a": 1,}', "\x00"])
def test_no_json(text: str | bytes) -> None:
    with pytest.raises(FormatError, match="not JSON"):
        decode(text)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), np.zeros(1, "c8"), b"bytes"])
def test_what_has_no_place_in_json(value: Any) -> None:
    with pytest.raises(FormatError, match="cannot be sent as JSON"):
        encode({"x": [value]})


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(encode({"a": [np.arange(6, dtype="<f4").reshape(2, 3), "text"], "b": np.bool_(True)}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        decode(bytes(whole))
    except FormatError:
        pass
