"""What is said, as letters: the one way for tables, for judging and for answers."""

from __future__ import annotations

from unicodedata import category, normalize

APOSTROPHES = {"'": "'", "\u2019": "'", "\u02bc": "'"}
"""Within a word they belong to it: they are written in one way."""
MAX_CHARACTERS = 2_000
"""Of one recording."""


def normalised(text: str) -> str:
    """Return a text as people say it: small letters and numbers, a blank between words, no punctuation.

    Letters of all scripts keep their accents (Unicode NFKC, which writes each in one way). What only says where a line
    may be broken, or how letters are joined, is left out.
    """
    words = "".join(map(_said, normalize("NFKC", text).lower())).split()
    return " ".join(stripped for word in words if (stripped := word.strip("'")))


def letters(text: str) -> int:
    """Count the letters and numbers of a text."""
    return sum(category(character)[0] in "LN" for character in text)


def _said(character: str) -> str:
    if character in APOSTROPHES:
        return APOSTROPHES[character]
    kind = category(character)
    return character if kind[0] in "LMN" else "" if kind == "Cf" else " "
