"""Lines of JSON with more than one event, ``{…}{…}`` or ``[{…},{…}]``: each of them counts, though none is read."""

from __future__ import annotations

import json
import re

from tasks.ingest.raw import MARK

SEVERAL = "several events on one line, wanted one a line"

_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[ \t\r,]*+")
"""May stand between events."""
_BAD_BYTE, _SAFE = f"{MARK}\\", f"{MARK}/"
"""How a byte that is no UTF-8 begins, and how it does where JSON is to be decoded."""


def events_of(line: str, kinds: tuple[type, ...]) -> list[str]:
    """Return the events that stand on one line, one after another or in a list; none where it has not several.

    Args:
        line: UTF-8, with `MARK` before what was not.
        kinds: What an event is.
    """
    found, text, start = list[str](), line.replace(_BAD_BYTE, _SAFE).strip(), 0
    while start < len(text):
        try:
            document, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        if type(document) in kinds:
            found.append(text[start:end])
        elif isinstance(document, list):
            found += [_written(each) for each in document if type(each) in kinds]
        else:
            break
        start = _after(text, end)
    if found and text.startswith("{", start):
        found.append(text[start:])
    return [event.replace(_SAFE, _BAD_BYTE) for event in found] if len(found) > 1 else []


def _written(document: object) -> str:
    return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace").decode()


def _after(text: str, end: int) -> int:
    found = _BETWEEN.match(text, end)
    return found.end() if found else end
