"""Label Studio's run lengths of brush masks: the bits of "rle-pack" over RGBA values.

The bits are: 32 of the number of values, 5 of the bits a value less 1, four times 4 of the bits of
a length less 1; then runs: 1 and which of the four, the length less 1, the value; or 0, which of
the four, the number less 1, and that many values. A mask's pixel is four values, all 0 or all 255.
"""

import numpy as np
from numpy.typing import NDArray

from hodor.formats.track import Mask

VALUE_BITS = 8
LENGTH_BITS = (3, 4, 8, 16)
CHANNELS = 4
HALF = 128  # of an opacity: brushes have soft edges


def encode_brush(mask: Mask) -> list[int]:
    """A mask (H, W) as the bytes of Label Studio's ``rle``."""
    flat = mask.ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    lengths = np.diff(ends, prepend=0) * CHANNELS
    bits = [f"{flat.size * CHANNELS:032b}{VALUE_BITS - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in LENGTH_BITS]
    for end, length in zip(ends.tolist(), lengths.tolist(), strict=True):
        value = "1" * VALUE_BITS if flat[end - 1] else "0" * VALUE_BITS
        while length:
            fitting = (at for at, size in enumerate(LENGTH_BITS) if length <= 1 << size)
            which = next(fitting, len(LENGTH_BITS) - 1)
            part = min(length, 1 << LENGTH_BITS[which])
            bits.append(f"1{which:02b}{part - 1:0{LENGTH_BITS[which]}b}{value}")
            length -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode_brush(rle: list[int], size: tuple[int, int]) -> Mask:
    """The mask (H, W) of an ``rle``: where the opacity is at least a half.

    Raises ValueError if it is cut off or of another size.
    """
    text = "".join(f"{byte:08b}" for byte in bytes(rle))
    bits = _Bits(text)
    count, value_bits = bits.read(32), bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    if count != size[0] * size[1] * CHANNELS:
        raise ValueError(f"{count} values, but {size[1]} x {size[0]} pixels of {CHANNELS}")
    values: NDArray[np.uint8] = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeated, length = bits.read(1), bits.read(lengths[bits.read(2)]) + 1
        if repeated:
            values[at : at + length] = bits.read(value_bits)
        else:
            values[at : at + length] = [bits.read(value_bits) for _ in range(length)]
        at += length
    opacity = values.reshape(*size, CHANNELS)[..., -1]
    return np.asarray(opacity >= HALF)


class _Bits:
    """Reads whole numbers of so many bits."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self, count: int) -> int:
        """The next bits as a number. Raises ValueError at the end."""
        start, self._at = self._at, self._at + count
        if self._at > len(self._text):
            raise ValueError("run lengths are cut off")
        return int(self._text[start : self._at], 2)
