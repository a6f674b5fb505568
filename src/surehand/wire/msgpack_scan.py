"""A message of msgpack looked over before anything is built from it: whole, shallow, and no longer than it says.

The decoder reserves room for as many items as a header claims; a few bytes that claim a billion must not get it.
Types: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from surehand.exceptions import FormatError

DEEPEST = 32  # dicts and lists inside one another; an observation has three or four

_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + i: 1 << (i % 4) for i in range(8)}  # bytes to follow
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bytes of the length of a binary or a text
_HOLDS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # bytes of the count, items for each


def check_message(data: bytes) -> None:
    """Nothing, or FormatError where `data` is not one whole message of plain types, at most `DEEPEST` deep."""
    size, at = len(data), 0
    left = [1]  # items still to come, the innermost dict or list last
    while left:
        if not left[-1]:
            left.pop()
            continue
        if at >= size:
            break
        left[-1] -= 1
        first = data[at]
        at += 1
        if first < 0x80 or first >= 0xE0:  # a small number is its own byte
            continue
        if first in _FIXED:
            at += _FIXED[first]
        elif first in _SIZED:
            width = _SIZED[first]
            at += width + int.from_bytes(data[at : at + width], "big")
        elif 0xA0 <= first < 0xC0:
            at += first & 0x1F
        elif first < 0xA0 or first in _HOLDS:
            width, each = _HOLDS.get(first, (0, 1 if first >= 0x90 else 2))
            count = int.from_bytes(data[at : at + width], "big") if width else first & 0x0F
            at += width
            if len(left) > DEEPEST:
                raise FormatError(f"a message nests deeper than {DEEPEST}; send dicts and lists less deep")
            if each == 1 and 8 < count <= (size - at) // 9 and data[at : at + 9 * count : 9] == b"\xcb" * count:
                at += 9 * count  # a long list of doubles, passed over at once
            else:
                left.append(count * each)
        else:
            raise FormatError(f"a message holds type {first:#04x} of msgpack at byte {at - 1}; expected plain types")
    if any(left) or at > size:
        raise FormatError(f"a message of {size} bytes breaks off; the sender stopped, or it is not msgpack")
    if at < size:
        raise FormatError(f"a message of {size} bytes should end after {at}; is it msgpack?")
