"""Texts as numbers of symbols, and back: the one way for tables and for requests."""

from __future__ import annotations

from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.language.symbols import FIRST, UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Numbers = NDArray[np.int32]

CODE_POINTS = 0x110000
"""That there may be in Unicode."""
REPLACEMENT = "\ufffd"
"""Stands for what has no character."""
LONGEST = 48
"""Bytes that may be merged to one symbol: 16 characters of a script that has no blanks between words."""
_PRINTED = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted(set(range(256)) - set(_PRINTED))
BYTES = "".join(chr(byte if byte in _PRINTED else 0x100 + _OTHERS.index(byte)) for byte in range(256))
"""A character for each byte, none of them blank: so merged bytes are written that are no text. As GPT-2 has it."""


class Spelling(Protocol):
    """One way of making numbers of texts."""

    count: int
    """Numbers that there are."""
    symbols: tuple[str, ...]
    """What numbers stand for, as the table has it; none of bytes alone."""

    def is_read_by(self, symbols: Sequence[str]) -> bool:
        """Whether numbers mean the same to who knows these symbols."""
        ...

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
    symbols: tuple[str, ...] = ()

    def is_read_by(self, symbols: Sequence[str]) -> bool:
        """See `Spelling.is_read_by`."""
        return self.symbols == tuple(symbols)

    def numbers(self, text: bytes) -> Numbers:
        """See `Spelling.numbers`."""
        return np.frombuffer(text, np.uint8).astype(np.int32) + FIRST

    def pieces(self, numbers: Iterable[int]) -> Iterator[str]:
        """See `Spelling.pieces`; a last character that is not whole is left out."""
        decoder = getincrementaldecoder("utf-8")("replace")
        said = (decoder.decode(self._bytes(number - FIRST)) for number in numbers if number >= FIRST)
        return filter(None, said)

    def text(self, numbers: Iterable[int]) -> str:
        """See `Spelling.text`."""
        return "".join(self.pieces(numbers))

    def _bytes(self, place: int) -> bytes:
        return bytes([place])


class Subwords(Bytes):
    """A number for each byte, then one for each pair of symbols that is merged to one: byte-level BPE.

    Args:
        pairs: In the order in which they are merged, a blank between both; each byte is written as in `BYTES`.
    """

    def __init__(self, pairs: Sequence[str]) -> None:
        self.symbols = tuple(pairs)
        self.count = Bytes.count + len(self.symbols)
        self._merged = [*BYTES, *(pair.replace(" ", "") for pair in self.symbols)]
        self._tokenizer = byte_pairs(self._merged, self.symbols)

    def numbers(self, text: bytes) -> Numbers:
        """See `Spelling.numbers`."""
        return np.array(self._tokenizer.encode(text.decode()).ids, np.int32) + np.int32(FIRST)

    def _bytes(self, place: int) -> bytes:
        return bytes(map(BYTES.index, self._merged[place]))


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

    def is_read_by(self, symbols: Sequence[str]) -> bool:
        """See `Spelling.is_read_by`: who knows fewer takes the others for unknown ones."""
        return self.symbols[: len(symbols)] == tuple(symbols)

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


def spelling(tokens: str, symbols: Sequence[str]) -> Spelling:
    """Return the way of making numbers that `features.tokens` names.

    Args:
        tokens: ``characters``, ``bytes`` or ``subwords``.
        symbols: Characters that have numbers, or pairs that are merged, in their order.
    """
    if tokens == "bytes":
        return Bytes()
    return Subwords(symbols) if tokens == "subwords" else Characters(symbols)


def byte_pairs(merged: Sequence[str], pairs: Sequence[str]) -> Tokenizer:
    """Return what merges bytes: inside words, as GPT-2 cuts them, and of `LONGEST` bytes at most.

    Args:
        merged: What there is, by number.
        pairs: See `Subwords`.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, FixedLength
    from tokenizers.pre_tokenizers import Sequence as OneAfterAnother

    parts = (pair.partition(" ") for pair in pairs)
    model = BPE({each: place for place, each in enumerate(merged)}, [(left, right) for left, _, right in parts])
    found = Tokenizer(model)
    found.pre_tokenizer = OneAfterAnother([ByteLevel(add_prefix_space=False), FixedLength(length=LONGEST)])
    return found


def unmarked(text: bytes) -> bytes:
    """Return a text, UTF-8, without the byte order mark that it may begin with: that is no symbol of it."""
    return text.removeprefix(BOM_UTF8)


def code_points(text: bytes) -> NDArray[np.uint32]:
    """Return the characters of a text, UTF-8, as numbers of Unicode."""
    return np.frombuffer(text.decode().encode("utf-32-le"), np.uint32)
