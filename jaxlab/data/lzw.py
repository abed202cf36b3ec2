"""Files of the Unix tool ``compress`` (``.Z``), which Python's library does not read."""

from jaxlab.checks import require

__all__ = ["expand"]

_CLEAR = 256  # the code that empties the table, in files that say they use it
_FIRST_WIDTH, _LAST_WIDTH = 9, 16


def expand(content: bytes) -> bytes:
    """What a ``.Z`` file holds: Welch's variant of Lempel and Ziv's code of 1978.

    Codes of 9 bits and more follow a header of three bytes. A code stands for a byte, or for the
    string of an earlier code and the first byte after it. Codes are one bit longer whenever all of
    a length are taken; since they are written eight at a time, the rest of the eight is skipped
    then.

    Args:
        content: of the file.

    Raises:
        ValueError: not such a file, or a code that is not known yet.

    Cost: one step of Python a code; memory for the table's strings.

    Example:
        >>> expand(bytes([31, 157, 144, 97, 2, 2]))
        b'aaa'
    """
    header = content[:3]
    last_width = header[2] & 31 if len(header) == 3 else 0
    fits = header[:2] == b"\x1f\x9d" and _FIRST_WIDTH < last_width <= _LAST_WIDTH
    require(fits, "content", header, "the header of a .Z file")
    bytewise = [bytes([byte]) for byte in range(256)]
    if header[2] & 128:
        bytewise.append(b"")  # the place of _CLEAR
    table, width, previous = list(bytewise), _FIRST_WIDTH, b""
    bits = 8 * len(content)
    group = at = 24
    pieces: list[bytes] = []
    while True:
        if len(table) >> width and width < last_width:
            group = at = group + -(-(at - group) // (8 * width)) * 8 * width
            width += 1
        if at + width > bits:
            return b"".join(pieces)
        code = int.from_bytes(content[at // 8 : at // 8 + 4], "little") >> at % 8
        code &= (1 << width) - 1
        at += width
        if code == _CLEAR and len(bytewise) > _CLEAR:
            group = at = group + -(-(at - group) // (8 * width)) * 8 * width
            table, width, previous = list(bytewise), _FIRST_WIDTH, b""
            continue
        known = code < len(table) or (code == len(table) and previous != b"")
        require(known, "content", code, f"codes up to {len(table)} in a .Z file")
        found = table[code] if code < len(table) else previous + previous[:1]
        if previous and len(table) >> last_width == 0:
            table.append(previous + found[:1])
        pieces.append(found)
        previous = found
