"""Long texts, as the bytes of their UTF-8: judged before anybody splits them into words or tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import category

from data_contracts.payloads.payload import Payload, refuse_vain_limit
from data_contracts.staging import MAX_BYTES

_CONTROL = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""Characters that print nothing and part nothing: not the tab, the ends of lines, and the end of a page."""

_UNSEEN = "\u2800\u3164\ufffd"
"""Symbols and a letter that show nothing, and what stands for a character that was lost."""


@dataclass(frozen=True)
class TextLimits:
    """What a text may be; each bound is allowed itself.

    Attributes:
        max_bytes: Of UTF-8.
        max_characters: Code points.
        max_controls: Control characters, other than tabs and the ends of lines and pages. NUL is never allowed.
        may_be_blank: Whether there may be nothing in it that people see.

    Raises:
        ValueError: `max_bytes` is more than is ever read.
    """

    max_bytes: int = MAX_BYTES
    max_characters: int = 1_000_000
    max_controls: int = 0
    may_be_blank: bool = True

    def __post_init__(self) -> None:
        refuse_vain_limit(self.max_bytes)


def texts(limits: TextLimits | None = None, name: str = "text") -> Payload:
    """Return what a contract makes the rules of long texts of.

    Args:
        limits: That they keep.
        name: Of their column, for people.
    """
    kept = limits or TextLimits()
    too_many_bytes = f"{name} of more than {kept.max_bytes:,} bytes"
    undecodable = f"{name} is not UTF-8"
    too_long = f"{name} of more than {kept.max_characters:,} characters"
    nul = f"{name} holds NUL"
    controls = f"{name} of more than {kept.max_controls:,} control characters"
    blank = f"{name} is blank"

    def problem_of(data: bytes) -> str | None:
        if len(data) > kept.max_bytes:
            return too_many_bytes
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return undecodable
        if len(text) > kept.max_characters:
            return too_long
        if "\0" in text:
            return nul
        if len(_CONTROL.findall(text)) > kept.max_controls:
            return controls
        return blank if not (kept.may_be_blank or _shows(text)) else None

    return Payload((too_many_bytes, undecodable, too_long, nul, controls, blank), problem_of)


def _shows(text: str) -> bool:
    """Whether it holds a letter, a number, a sign or a symbol, and not only marks and what parts them."""
    return any(category(character)[0] in "LNPS" and character not in _UNSEEN for character in text)
