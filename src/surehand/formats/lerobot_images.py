"""Image columns of LeRobot datasets: PNG files inside Parquet, their statistics, and back to arrays."""

import io
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SurehandError

if TYPE_CHECKING:
    import pyarrow as pa

LEVELS = np.arange(256) / 255  # lerobot states statistics of images in 0..1
CHANNELS = 3
MODES = ("RGB", "RGBA", "L", "P")
AT_ONCE = 256  # frames decoded at a time where images are read along


def holds_images(values: np.ndarray) -> bool:
    """Whether a column is (N, h, w, 3) uint8: images, red green blue."""
    return values.dtype == np.uint8 and values.ndim == 4 and values.shape[3] == CHANNELS


def image_feature(values: np.ndarray) -> dict[str, Any]:
    """info.json's feature of an image column (N, h, w, 3)."""
    return {"dtype": "image", "shape": list(values.shape[1:]), "names": ["height", "width", "channels"]}


def image_shape(feature: Mapping[str, Any], what: str) -> tuple[int, int]:
    """(h, w) that an image feature declares, channels first or last; ShapeError for anything but colour images."""
    shape, names = feature.get("shape"), feature.get("names")
    if isinstance(shape, list) and len(shape) == 3 and all(isinstance(side, int) and side > 0 for side in shape):
        first = isinstance(names, list) and bool(names) and str(names[0]).startswith("channel")
        height, width, channels = (*shape[1:], shape[0]) if first else shape
        if channels == CHANNELS:
            return height, width
    raise ShapeError(f"{what} has shape {shape}, names {names}; expected height, width and 3 channels")


def encode_images(values: np.ndarray) -> "pa.Array":
    """Images (N, h, w, 3) uint8 as lerobot stores them: a struct of PNG `bytes` and no `path`."""
    import pyarrow as pa

    image = _pillow()
    files = []
    for picture in values:
        file = io.BytesIO()
        image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", compress_level=1)  # as lerobot does
        files.append(file.getvalue())
    return pa.StructArray.from_arrays(
        [pa.array(files, pa.binary()), pa.array([None] * len(files), pa.string())], names=["bytes", "path"]
    )


def decode_images(
    columns: Sequence["pa.Array"], size: tuple[int, int], what: str, where: Callable[[int], str]
) -> np.ndarray:
    """Images (N, h, w, 3) uint8 of stored columns, end to end.

    Raises FormatError naming the frame whose image is absent or unreadable, ShapeError where it is not `size` (h, w).
    """
    image = _pillow()
    found = np.empty((sum(map(len, columns)), *size, CHANNELS), np.uint8)
    row = 0
    for column in columns:
        for stored in column.to_pylist():
            data = stored.get("bytes") if isinstance(stored, dict) else stored
            if not isinstance(data, bytes):
                raise FormatError(
                    f"{what}: {where(row)} holds no image file; images kept elsewhere are not read, "
                    "write the dataset again with lerobot"
                )
            try:
                with image.open(io.BytesIO(data)) as picture:
                    if picture.size != size[::-1]:  # before anything is decoded
                        raise ShapeError(
                            f"{what}: {where(row)} is {picture.size[0]} × {picture.size[1]} pixels, "
                            f"info.json says {size[1]} × {size[0]}; correct one of them"
                        )
                    if picture.mode not in MODES:
                        raise FormatError(f"{what}: {where(row)} has mode {picture.mode}; expected 8 bits per colour")
                    found[row] = np.asarray(picture.convert("RGB"))
            except (OSError, SyntaxError, ValueError, image.DecompressionBombError):
                raise FormatError(f"{what}: {where(row)} is no readable image; write it again") from None
            row += 1
    return found


def count_levels(values: np.ndarray) -> np.ndarray:
    """How often each channel of images (N, h, w, 3) takes each of its 256 levels (3, 256) int64."""
    return np.stack([np.bincount(values[..., c].reshape(-1), minlength=256) for c in range(CHANNELS)])


def level_summary(counts: np.ndarray, quantiles: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Exact min, max, mean, std and quantiles per channel from counts (3, 256), each (3, 1, 1) in 0..1, as lerobot."""
    total = counts.sum(axis=1)
    mean = counts @ LEVELS / total
    below = counts.cumsum(axis=1)
    found = {
        "min": LEVELS[(counts > 0).argmax(axis=1)],
        "max": LEVELS[255 - (counts[:, ::-1] > 0).argmax(axis=1)],
        "mean": mean,
        "std": np.sqrt((counts * (LEVELS - mean[:, None]) ** 2).sum(axis=1) / total),
    }
    for name, q in quantiles.items():
        place = q * (total - 1)
        low, high = (
            np.array([LEVELS[np.searchsorted(b, rank, side="right")] for b, rank in zip(below, ranks, strict=True)])
            for ranks in (np.floor(place), np.ceil(place))
        )
        found[name] = low + (place - np.floor(place)) * (high - low)
    return {name: values.reshape(CHANNELS, 1, 1) for name, values in found.items()}


def _pillow() -> ModuleType:
    """PIL.Image, or one line that says how to get it."""
    try:
        from PIL import Image
    except ImportError:
        raise SurehandError("images need Pillow; pip install 'surehand[sim]' or pip install pillow") from None
    return Image
