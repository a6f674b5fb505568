"""How a film is drawn and stored: captions, GIF, MP4 and the contact sheet, with Pillow and PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surehand.exceptions import SurehandError
from surehand.formats.contract import replacing
from surehand.sim.model import CONTROL_HZ

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from surehand.sim.film import Shot

CAPTION = 0.13  # height of the strip under a picture, of the picture's height
LAST_SHOT = 15  # the film rests this many steps at its end
ACROSS, DOWN = 4, 3  # pictures on a contact sheet
INK, PAPER, GOOD, BAD, BAR = (30, 30, 35), (250, 250, 250), (0, 120, 60), (190, 30, 30), (150, 165, 190)


def write_gif(shots: Sequence[Shot], out: Path, title: str) -> Path:
    """An endless GIF in real time, one palette for all its pictures so that nothing flickers."""
    from PIL import Image

    frames = [_captioned(shot) for shot in shots]
    typical = _sheet(shots, title)
    for i, colour in enumerate((INK, GOOD, BAD, BAR)):  # rare, and lost without a patch of their own
        typical.paste(colour, (i * 50, 0, i * 50 + 50, 50))
    palette = typical.quantize(255, dither=Image.Dither.NONE)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    step = 1000 // CONTROL_HZ
    times = [step] * (len(small) - 1) + [step * LAST_SHOT]
    with replacing(out, overwrite=True) as temporary:
        small[0].save(temporary, "GIF", save_all=True, append_images=small[1:], duration=times, loop=0)
    return out


def write_mp4(shots: Sequence[Shot], out: Path, title: str) -> Path:
    """An H.264 film in real time; SurehandError where PyAV is not installed."""
    try:
        import av
    except ImportError:
        raise SurehandError("films in MP4 need PyAV: pip install av; or name a .gif") from None
    frames = [np.asarray(_captioned(shot)) for shot in shots]
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])  # the codec wants even sides
    with replacing(out, overwrite=True) as temporary, av.open(str(temporary), "w", format="mp4") as file:
        file.metadata["title"] = title
        stream = file.add_stream("libx264", rate=CONTROL_HZ)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in [*frames, *[frames[-1]] * (LAST_SHOT - 1)]:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return out


def write_sheet(shots: Sequence[Shot], out: Path, title: str) -> Path:
    """Twelve pictures at even distances on one page, the first and the last among them."""
    with replacing(out, overwrite=True) as temporary:
        _sheet(shots, title).save(temporary, "PNG")
    return out


def _sheet(shots: Sequence[Shot], title: str) -> Image:
    from PIL import Image, ImageDraw

    count = min(len(shots), ACROSS * DOWN)
    chosen = [shots[i] for i in np.linspace(0, len(shots) - 1, count).round().astype(int)]
    cells = [_captioned(shot) for shot in chosen]
    width, height = cells[0].size
    head, gap = round(height * 0.1), 6
    across, down = min(ACROSS, count), -(-count // ACROSS)
    sheet = Image.new("RGB", (across * (width + gap) + gap, head + down * (height + gap)), PAPER)
    ImageDraw.Draw(sheet).text((gap, head / 2), title, INK, _font(head * 0.6), anchor="lm")
    for i, cell in enumerate(cells):
        sheet.paste(cell, (gap + i % ACROSS * (width + gap), head + i // ACROSS * (height + gap)))
    return sheet


def _captioned(shot: Shot) -> Image:
    """The picture over a strip: time, a bar of the force against its limit, and what came of the step."""
    from PIL import Image, ImageDraw

    height, width = shot.picture.shape[:2]
    strip = round(height * CAPTION)
    page = Image.new("RGB", (width, height + strip), PAPER)
    page.paste(Image.fromarray(shot.picture), (0, 0))
    draw, middle, font = ImageDraw.Draw(page), height + strip / 2, _font(strip * 0.42)
    # The outline is the limit, what is filled the force.
    left, right = round(width * 0.30), round(width * 0.66)
    filled = left + min(shot.force / shot.limit, 1.0) * (right - left) if np.isfinite(shot.force) else left
    edges = (height + round(strip * 0.18), height + round(strip * 0.82))
    draw.rectangle((left, edges[0], filled, edges[1]), fill=BAD if shot.force > shot.limit else BAR)
    draw.rectangle((left, edges[0], right, edges[1]), outline=INK)
    draw.text((width * 0.02, middle), f"step {shot.step}", INK, font, anchor="lm")
    draw.text(((left + right) / 2, middle), f"{shot.force:.1f} of {shot.limit:g} N", INK, font, anchor="mm")
    word, colour = _verdict(shot)
    draw.text((width * 0.98, middle), word, colour, font, anchor="rm")
    return page


def _verdict(shot: Shot) -> tuple[str, tuple[int, int, int]]:
    if shot.violated:
        return f"limit: {', '.join(shot.violated)}", BAD
    return ("success", GOOD) if shot.success else ("", INK)


def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL.ImageFont import load_default

    return load_default(max(8.0, size))
