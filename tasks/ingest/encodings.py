"""How texts of a source are written: the names of Python's codecs."""

from __future__ import annotations

import codecs
import difflib
from encodings.aliases import aliases

UTF_8 = "utf-8"


def problem_of(encoding: str) -> str | None:
    """Say why texts cannot be read by a codec: there is none of that name, or its line breaks are no line breaks."""
    written = _line_break(encoding)
    if not written:
        near = difflib.get_close_matches(encoding.lower().replace("-", "_"), sorted({*aliases, *aliases.values()}))
        hint = f"; near it are {', '.join(known)}" if (known := [each for each in near if _line_break(each)]) else ""
        return f"encoding {encoding!r} is no codec of Python for text, such as utf-8, latin-1, cp1252 or utf-16{hint}"
    ends = written.removeprefix(codecs.BOM_UTF8).strip(b"\xff\xfe\0").replace(b"\0", b"")
    return None if ends == b"\r\n" else f"encoding {encoding!r} writes line breaks otherwise than ASCII does"


def has_plain_line_breaks(encoding: str) -> bool:
    """Whether a text can be read from any line on: UTF-8, and what has a character in each byte and remembers none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    return is_utf_8(encoding) or type(decoder).__base__ is codecs.IncrementalDecoder


def _line_break(encoding: str) -> bytes:
    """Return a line break as a codec writes it; nothing where there is no such codec."""
    try:
        return "\r\n".encode(encoding)
    except (LookupError, UnicodeError):
        return b""


def is_utf_8(encoding: str) -> bool:
    """Whether this is UTF-8, by whichever of its names."""
    return codecs.lookup(encoding).name in (UTF_8, "utf-8-sig")
