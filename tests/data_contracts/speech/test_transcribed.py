from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.speech.transcribed import normalised


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("Seven, EIGHT!", "seven eight", id="punctuation and capitals"),
        pytest.param("it\u2019s  o'clock\n", "it's o'clock", id="apostrophes and white space"),
        pytest.param("na\u0075\u0306", "na\u016d", id="a letter and its mark"),
        pytest.param("\uff11\uff12 \ufb01ve", "12 five", id="wide numbers and ligatures"),
        pytest.param("\u4f60\u597d\u3002", "\u4f60\u597d", id="another script"),
        pytest.param("well-known", "well known", id="hyphen"),
        pytest.param("'tis 'so' he said'", "tis so he said", id="quotes"),
        pytest.param("co\u00adoperate", "cooperate", id="a place to break a line"),
        pytest.param("' '", "", id="apostrophes alone"),
        pytest.param("\u2026 -- ?", "", id="nothing is said"),
    ],
)
def test_a_text_is_written_as_it_is_said(text: str, wanted: str) -> None:
    assert normalised(text) == wanted


@given(st.text())
def test_what_was_written_so_stays_so(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert once == " ".join(once.split())
