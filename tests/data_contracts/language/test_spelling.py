from __future__ import annotations

from codecs import getincrementaldecoder

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


@given(st.binary(max_size=40))
def test_pieces_of_any_bytes_are_characters_and_together_the_text(said: bytes) -> None:
    pieces = list(Bytes().pieces(Bytes().numbers(said).tolist()))
    assert set(map(len, pieces)) <= {1, 2}, "a byte may end two at once: one that was not whole, and its own"
    whole = getincrementaldecoder("utf-8")("replace").decode(said)
    assert "".join(pieces) == Bytes().text(Bytes().numbers(said).tolist()) == whole


def test_a_character_of_several_bytes_comes_once_it_is_whole_and_not_at_all_if_it_never_is() -> None:
    numbers, asked = Bytes().numbers("aß🙂ß".encode()).tolist()[:-1], []
    pieces = Bytes().pieces(asked.append(number) or number for number in numbers)
    assert [(piece, len(asked)) for piece in pieces] == [("a", 1), ("ß", 3), ("🙂", 7)]
    assert len(asked) == len(numbers)


@given(TEXTS)
def test_characters_are_counted_as_people_do_that_count_code_points(text: str) -> None:
    assert len(code_points(text.encode())) == len(text)
    assert len(Characters([]).numbers(text.encode())) == len(text)


def test_a_character_without_a_number_is_unknown() -> None:
    spelling = Characters("ab")
    assert spelling.numbers("abß🙂".encode()).tolist() == [FIRST, FIRST + 1, UNKNOWN, UNKNOWN]
    assert spelling.text([FIRST, UNKNOWN]) == f"a{REPLACEMENT}"
