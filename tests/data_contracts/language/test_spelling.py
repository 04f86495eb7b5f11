from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_contracts.language.spelling import REPLACEMENT, Bytes, Characters, code_points
from data_contracts.language.symbols import FIRST, UNKNOWN

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXTS)
def test_whatever_the_script_a_text_is_read_back(text: str) -> None:
    for spelling in (Bytes(), Characters(sorted(set(text)))):
        numbers = spelling.numbers(text.encode())
        assert spelling.text(numbers.tolist()) == text
        assert not len(numbers) or FIRST <= numbers.min() <= numbers.max() < spelling.count


@given(TEXTS)
def test_characters_are_counted_as_people_do_that_count_code_points(text: str) -> None:
    assert len(code_points(text.encode())) == len(text)
    assert len(Characters([]).numbers(text.encode())) == len(text)


def test_a_character_without_a_number_is_unknown() -> None:
    spelling = Characters("ab")
    assert spelling.numbers("abß🙂".encode()).tolist() == [FIRST, FIRST + 1, UNKNOWN, UNKNOWN]
    assert spelling.text([FIRST, UNKNOWN]) == f"a{REPLACEMENT}"
