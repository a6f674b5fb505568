"""What every figure shares: paper, ink, colours, axes; and one specification drawn as SVG, PNG or PDF, offline."""

import html
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from surehand.report.text import number

INK, MUTED, GRID, PALE = "#1b1f24", "#5b6570", "#dfe3e8", "#9aa5b1"
PICK, SECOND = "#0072b2", "#d55e00"
# Okabe & Ito (2008), told apart with any colour vision; grey levels differ too, so that a print keeps the order.
COLOURS = (PICK, SECOND, "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES = ([6, 3], [2, 2], [8, 3, 2, 3], [1, 3])
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # vl-convert ships the first, browsers have one of them
WIDER = 1.1  # pixels by which a letter of a label may be wider than drawn
BESIDE = 14  # pixels kept free on the right
PANEL = 176  # width of a small panel, in pixels
ROWS: dict[str, Any] = {"title": None, "ticks": False, "domain": False, "grid": True, "labelLimit": 170}


@dataclass(frozen=True, eq=False)
class Figure:
    """A Vega-Lite specification with what a reader needs to know beside it."""

    key: str  # file name without suffix
    title: str
    caption: str  # what it shows, space, n
    spec: dict[str, Any]

    @cached_property
    def drawing(self) -> str:
        """The figure as SVG text, drawn once: pages, PNG and PDF are made from it."""
        import vl_convert

        svg = str(vl_convert.vegalite_to_svg(json.dumps(self.spec), vl_version=_version()))
        # Clip ids count up through the life of the process; the same record must give the same drawing.
        order = {name: f"clip{i}" for i, name in enumerate(dict.fromkeys(re.findall(r'\bid="(clip\d+)"', svg)))}
        return re.sub(r"\bclip\d+\b", lambda found: order.get(found.group(), found.group()), svg)

    def svg(self) -> bytes:
        """The figure as an SVG file on white."""
        return self.drawing.encode()

    def png(self) -> bytes:
        """The figure as PNG at 200 dots per inch on white."""
        import vl_convert

        return bytes(vl_convert.svg_to_png(self.drawing, scale=2, ppi=100))

    def pdf(self) -> bytes:
        """The figure as a one-page PDF with live text."""
        import vl_convert

        return bytes(vl_convert.svg_to_pdf(self.drawing))

    def inline(self) -> str:
        """SVG to stand inside a page: transparent, no namespaces, and ids that no other figure on the page has."""
        svg = re.sub(r'<rect width="[\d.]+" height="[\d.]+" fill="white"/>', "", self.drawing, count=1)  # the paper
        svg = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", svg)
        svg = re.sub(r'\bid="([^"]+)"', rf'id="{self.key}-\1"', svg)
        return _with_room(re.sub(r"url\((['\"]?)#", rf"url(\1#{self.key}-", svg))

    def natural_width(self, svg: str) -> int:
        """Width in page pixels at which the figure's text is as large as a caption's."""
        found = re.search(r'\bwidth="(\d+)', svg)
        return round(1.2 * int(found.group(1))) if found else 720


def _with_room(svg: str) -> str:
    """The drawing with space beside it: where a browser lacks the font, its own is wider and names would be cut off."""
    ended = re.findall(r'<text[^>]*\btext-anchor="end"[^>]*>([^<]*)', svg)
    left = 4 + round(WIDER * max((len(html.unescape(text)) for text in ended), default=0))
    size = re.search(r'\bwidth="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"', svg)
    if size is None:
        return svg
    width, height = float(size.group(1)) + left + BESIDE, size.group(2)
    room = f'width="{width:g}" height="{height}" viewBox="-{left} 0 {width:g} {height}"'
    return svg.replace(size.group(), room, 1)


def make(key: str, title: str, caption: str, chart: Any) -> Figure:
    """The figure that this altair chart draws, in the house style."""
    axis = {
        "labelColor": INK,
        "titleColor": MUTED,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "domainColor": PALE,
        "tickColor": PALE,
        "gridColor": GRID,
        "labelFont": FONT,
        "titleFont": FONT,
        "labelLimit": 240,
    }
    title_style = {"font": FONT, "fontSize": 12, "anchor": "start", "color": INK, "subtitleColor": MUTED, "offset": 6}
    legend = {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "titleColor": MUTED, "labelFontSize": 11}
    # Written into the dictionary: every `configure` of altair would copy the chart with its data.
    config = {
        "font": FONT,
        "background": "white",
        "padding": 6,
        "aria": False,
        "axis": axis,
        "view": {"stroke": None},
        "title": {**title_style, "subtitleFont": FONT, "subtitleFontSize": 11},
        "legend": {**legend, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 240, "symbolSize": 70},
        "concat": {"spacing": 22},
    }
    return Figure(key, title, caption, {**chart.to_dict(), "config": config})


def panels(charts: Sequence[Any], per_row: int) -> Any:
    """Charts side by side, so many in a row, their edges aligned."""
    import altair as alt

    return alt.concat(*charts, columns=per_row, align="each")


def data(rows: Iterable[dict[str, Any]]) -> Any:
    """Rows as inline data; numbers that JSON has no word for become null."""
    import altair as alt

    return alt.InlineData(values=[{k: _json(v) for k, v in row.items()} for row in rows])


def choose(channel: Any, field: str, names: Sequence[str], looks: Sequence[Any], legend: Any = None) -> Any:
    """A channel (colour, size, shape, ...) that maps each of these names to the look in the same place."""
    import altair as alt

    return channel(f"{field}:N", scale=alt.Scale(type="ordinal", domain=list(names), range=list(looks)), legend=legend)


def log_scale(values: Iterable[float]) -> tuple[list[float], list[float]]:
    """Domain around the positive values, and the coarsest ticks of which three or more fall inside.

    >>> log_scale([0.01, 0.05])[1]
    [0.01, 0.02, 0.05]
    """
    positive = [v for v in values if math.isfinite(v) and v > 0]
    if not positive:
        return [0.1, 1.0], [0.1, 1.0]
    spread = max(1.05, (max(positive) / min(positive)) ** 0.06)
    low, high = min(positive) / spread, max(positive) * spread
    ticks: list[float] = []
    for steps in ("1", "1 3", "1 2 5", "1 1.5 2 3 5 7", "1 1.2 1.4 1.6 1.8 2 2.5 3 3.5 4 4.5 5 5.5 6 7 8 9"):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [t for t in (float(f"{m}e{p}") for p in powers for m in steps.split()) if low <= t <= high]
        if len(ticks) >= 3:
            break
    ticks = ticks or [float(f"{math.sqrt(low * high):.2e}")]
    return [low, high], ticks[:: math.ceil(len(ticks) / 4) if len(ticks) > 5 else 1]


def log_axis(channel: str, field: str, values: Iterable[float], title: str | None = None, **axis: Any) -> Any:
    """A logarithmic X or Y whose tick labels read like the tables' numbers."""
    import altair as alt

    domain, ticks = log_scale(values)
    texts = [number(t, next(d for d in (1, 2, 3) if d == 3 or float(f"{t:.{d - 1}e}") == t)) for t in ticks]
    look = alt.Axis(values=ticks, labelExpr=_lookup(ticks, texts), title=title, tickCount=len(ticks), **axis)
    kind = alt.X if channel == "x" else alt.Y
    return kind(f"{field}:Q", scale=alt.Scale(type="log", domain=domain, nice=False, clamp=True), axis=look)


def _lookup(ticks: Sequence[float], texts: Sequence[str]) -> str:
    pairs = zip(ticks, texts, strict=True)
    return "".join(f"abs(datum.value/{t!r} - 1) < 1e-6 ? '{text}' : " for t, text in pairs) + "''"


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version() -> str:
    import altair as alt

    return ".".join(str(alt.SCHEMA_VERSION).lstrip("v").split(".")[:2])
