from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.payloads.texts import TextLimits, texts

TEXTS = texts(TextLimits(max_bytes=40, max_characters=12, max_controls=1))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param("naïve 好 🙂".encode(), None, id="text"),
        pytest.param(b"a\tb\r\nc\fd", None, id="tabs, lines and pages"),
        pytest.param("🙂".encode() * 10, None, id="just as many bytes"),
        pytest.param(b"a" * 12, None, id="just as many characters"),
        pytest.param(b"\x1b[1m", None, id="just as many control characters"),
        pytest.param("🙂".encode() * 10 + b"a", "text of more than 40 bytes", id="too many bytes"),
        pytest.param(b"caf\xe9", "text is not UTF-8", id="Latin-1"),
        pytest.param("🙂".encode()[:3], "text is not UTF-8", id="cut in a character"),
        pytest.param(b"\xed\xa0\x80", "text is not UTF-8", id="half a surrogate"),
        pytest.param(b"a" * 13, "text of more than 12 characters", id="too many characters"),
        pytest.param(b"a\0b", "text holds NUL", id="NUL"),
        pytest.param(b"\x1b[1m\x1b[0m", "text of more than 1 control characters", id="control characters"),
        pytest.param("\x84\x7f".encode(), "text of more than 1 control characters", id="those beyond ASCII"),
    ],
)
def test_a_text_is_judged(data: bytes, problem: str | None) -> None:
    assert TEXTS.problem_of(data) == problem
    assert problem is None or problem in TEXTS.problems


@given(st.binary(max_size=60))
def test_whatever_the_bytes_nothing_is_raised(data: bytes) -> None:
    problem = TEXTS.problem_of(data)
    assert problem is None or problem in TEXTS.problems


def test_a_limit_that_is_never_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes is 0, wanted 1 to 8,388,608"):
        TextLimits(max_bytes=0)


@pytest.mark.parametrize("seen", ["好", "1", "!", "🙂", "e\u0301"])
def test_a_text_that_shows_something_is_not_blank(seen: str) -> None:
    assert texts(TextLimits(may_be_blank=False)).problem_of(f"\ufeff \n{seen}\u200b".encode()) is None


@pytest.mark.parametrize(
    "unseen", ["", " \t\r\n\f\x85", "\ufeff", "\u200b\u2060", "\u2800", "\u3164", "\u0301", "\ufffd\ufffd"]
)
def test_a_text_that_shows_nothing_is_blank(unseen: str) -> None:
    assert texts(TextLimits(may_be_blank=False)).problem_of(unseen.encode()) == "text is blank"
    assert texts().problem_of(unseen.encode()) is None
