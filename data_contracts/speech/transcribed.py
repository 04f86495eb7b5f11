"""What is said, as letters: the one way for tables, for judging and for answers."""

from __future__ import annotations

from unicodedata import category, normalize

APOSTROPHES = {"'": "'", "\u2019": "'", "\u02bc": "'"}
"""Within a word they belong to it: they are written in one way."""
MAX_CHARACTERS = 2_000
"""Of one recording."""


def normalised(text: str) -> str:
    """Return a text as people say it: small letters and numbers, a blank between words, no punctuation.

    Letters of all scripts keep their accents (Unicode NFKC, which writes each in one way).
    """
    return " ".join("".join(map(_said, normalize("NFKC", text).lower())).split())


def _said(character: str) -> str:
    if character in APOSTROPHES:
        return APOSTROPHES[character]
    return character if category(character)[0] in "LMN" else " "
