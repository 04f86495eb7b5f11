"""Texts as numbers of symbols, and back: the one way for tables and for requests."""

from __future__ import annotations

from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.language.symbols import FIRST, UNKNOWN

Numbers = NDArray[np.int32]

CODE_POINTS = 0x110000
"""That there may be in Unicode."""
REPLACEMENT = "\ufffd"
"""Stands for what has no character."""


class Spelling(Protocol):
    """One way of making numbers of texts."""

    count: int
    """Numbers that there are."""

    def numbers(self, text: bytes) -> Numbers:
        """Return the numbers of a text, UTF-8."""
        ...

    def pieces(self, numbers: Iterable[int]) -> Iterator[str]:
        """Yield the text of numbers, each character as soon as it is whole."""
        ...

    def text(self, numbers: Iterable[int]) -> str:
        """Return the text of numbers."""
        ...


class Bytes:
    """A number for each byte: there is none without one."""

    count = FIRST + 256

    def numbers(self, text: bytes) -> Numbers:
        """See `Spelling.numbers`."""
        return np.frombuffer(text, np.uint8).astype(np.int32) + FIRST

    def pieces(self, numbers: Iterable[int]) -> Iterator[str]:
        """See `Spelling.pieces`; a last character that is not whole is left out."""
        decoder = getincrementaldecoder("utf-8")("replace")
        said = (decoder.decode(bytes([number - FIRST])) for number in numbers if number >= FIRST)
        return filter(None, said)

    def text(self, numbers: Iterable[int]) -> str:
        """See `Spelling.text`."""
        return "".join(self.pieces(numbers))


class Characters:
    """A number for each character that was met; one for all others.

    Args:
        symbols: By number, from `FIRST`.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self.count = FIRST + len(self.symbols)
        self._number = np.full(CODE_POINTS, UNKNOWN, np.int32)
        self._number[[ord(each) for each in self.symbols]] = np.arange(FIRST, self.count, dtype=np.int32)

    def numbers(self, text: bytes) -> Numbers:
        """See `Spelling.numbers`."""
        found: Numbers = self._number[code_points(text)]
        return found

    def pieces(self, numbers: Iterable[int]) -> Iterator[str]:
        """See `Spelling.pieces`."""
        return (self.symbols[number - FIRST] if number >= FIRST else REPLACEMENT for number in numbers)

    def text(self, numbers: Iterable[int]) -> str:
        """See `Spelling.text`."""
        return "".join(self.pieces(numbers))


def spelling(tokens: str, symbols: Sequence[str]) -> Bytes | Characters:
    """Return the way of making numbers that `features.tokens` names.

    Args:
        tokens: ``characters`` or ``bytes``.
        symbols: Characters that have numbers, in their order.
    """
    return Bytes() if tokens == "bytes" else Characters(symbols)


def unmarked(text: bytes) -> bytes:
    """Return a text, UTF-8, without the byte order mark that it may begin with: that is no symbol of it."""
    return text.removeprefix(BOM_UTF8)


def code_points(text: bytes) -> NDArray[np.uint32]:
    """Return the characters of a text, UTF-8, as numbers of Unicode."""
    return np.frombuffer(text.decode().encode("utf-32-le"), np.uint32)
