"""How numbers and names look: the same in terminal, table, figure and page."""

import math
import re
import statistics
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

MISSING = "–"


def number(value: float, digits: int = 3) -> str:
    """The number with so many significant digits; scientific only where decimals would be unreadable.

    >>> [number(v) for v in (0.0071843, 3.506e-05, 12.3456, 54321.0, -0.25, 0.0, float("nan"))]
    ['0.00718', '3.51e−5', '12.3', '54321', '−0.250', '0', '–']
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")  # rounds first, so 9.999 has the exponent of 10.0
    power = int(exponent)
    if -3 <= power < 6:
        text = f"{value:.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{mantissa}e{power}"
    return text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """Both limits with two digits, or as many more as tell them apart; nothing where the data support no interval.

    A limit that is not a number beside one that is means none on that side (JSON keeps no infinity).

    >>> interval(0.00612, 0.0084), interval(0.9982, 1.0014), interval(-0.2, 0.31), interval(float("nan"), float("nan"))
    ('0.0061–0.0084', '0.998–1.00', '−0.20 to 0.31', '')
    >>> interval(0.0, float("inf")), interval(float("nan"), 1.0)
    ('0–∞', '−∞ to 1.0')
    """
    if not math.isfinite(low) and not math.isfinite(high):
        return ""
    if not math.isfinite(low):
        return f"−∞ to {number(high, 2)}"
    if not math.isfinite(high):
        return f"{number(low, 2)}{' to ' if low < 0 else '–'}∞"
    digits = next((d for d in (2, 3, 4) if number(low, d) != number(high, d)), 4)
    return f"{number(low, digits)}{' to ' if low < 0 else '–'}{number(high, digits)}"


def count(n: int, noun: str) -> str:
    """`1 episode`, `3,412 frames`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def percent(share: float) -> str:
    """A share as a whole percentage, with a decimal where it is below ten.

    >>> percent(0.95), percent(0.0312), percent(0.999)
    ('95 %', '3.1 %', '99.9 %')
    """
    if math.isnan(share):
        return MISSING
    whole = abs(share * 100 - round(share * 100)) < 1e-9 or 0.1 <= share <= 0.985
    return f"{share * 100:.0f} %" if whole else f"{share * 100:.1f} %"


def common_power(values: Iterable[float]) -> int:
    """The power of ten (a multiple of three) that puts the middle one of these values between 0.1 and 100 or so."""
    sizes = [abs(v) for v in values if math.isfinite(v) and v != 0]
    if not sizes:
        return 0
    middle = statistics.median(sizes)
    power = 0 if 0.1 <= middle < 1000 else 3 * math.floor((math.log10(middle) + 1) / 3)
    return min(max(power, -300), 300)  # 10**power must be a number


def power_of_ten(power: int) -> str:
    """`×10⁻³` for -3."""
    return "×10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def clean(text: str) -> str:
    """The text on one line, without control and formatting characters that could act on a terminal or a page."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    return "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))


def short_names(names: Sequence[str], width: int = 22) -> dict[str, str]:
    """A label per name, at most `width` wide and still distinct: folders that all paths share go, then the middle.

    >>> short_names(["runs/040000/model", "runs/080000/model"])
    {'runs/040000/model': '040000', 'runs/080000/model': '080000'}
    """
    paths = [name.split("/") for name in dict.fromkeys(names) if "/" in name]
    first, last = _shared(paths), _shared([path[::-1] for path in paths])
    labels: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        own = "/".join(parts[first : len(parts) - last]) if len(parts) > first + last and "/" in name else name
        labels[name] = _distinct(_middle(clean(own).strip() or "(unnamed)", width), set(labels.values()), width)
    return labels


def names_note(labels: Mapping[str, str]) -> str:
    """Which name each shortened label stands for.

    >>> names_note({"runs/40/model": "40", "mlp": "mlp"})
    '40 is runs/40/model'
    """
    return "; ".join(f"{short} is {name}" for name, short in labels.items() if short != name)


def shorten(text: str, labels: Mapping[str, str]) -> str:
    """The text with every long name in it replaced by its label.

    >>> shorten("deploy runs/40/model", {"runs/40/model": "40"})
    'deploy 40'
    """
    names = sorted((name for name, label in labels.items() if name != label), key=len, reverse=True)
    if not names:
        return text
    return re.sub("|".join(map(re.escape, names)), lambda found: labels[found.group()], text)


def _shared(paths: Sequence[Sequence[str]]) -> int:
    """How many leading parts all paths have in common; none for a single path."""
    if len(paths) < 2:
        return 0
    alike = [len(set(parts)) == 1 for parts in zip(*paths, strict=False)]
    return alike.index(False) if False in alike else len(alike)


def _middle(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    tail = (width - 1) * 3 // 5  # the end of a checkpoint's name tells more than its beginning
    return text[: width - 1 - tail] + "…" + text[-tail:]


def _distinct(label: str, taken: set[str], width: int) -> str:
    candidate, n = label, 2
    while candidate in taken:
        suffix = f" #{n}"
        candidate, n = label[: width - len(suffix)] + suffix, n + 1
    return candidate
