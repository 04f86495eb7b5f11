from __future__ import annotations

from codecs import getincrementaldecoder

from hypothesis import given
from hypothesis import strategies as st

from data_contracts.language.spelling import BYTES, LONGEST, REPLACEMENT, Bytes, Characters, Subwords, code_points
from data_contracts.language.symbols import FIRST, UNKNOWN
from tests.data_contracts.language.made_up import story

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SUBWORDS = Subwords(["b a", "Ġ ba", "ba ba", "Ã ±", "ð Ł", "Ġba ba", "! !"])
"""A word and a blank before it, "ñ", half a moon, and what stands at the end."""


@given(TEXTS)
def test_whatever_the_script_a_text_is_read_back(text: str) -> None:
    for spelling in (Bytes(), SUBWORDS, Characters(sorted(set(text)))):
        numbers = spelling.numbers(text.encode())
        assert spelling.text(numbers.tolist()) == text
        assert not len(numbers) or FIRST <= numbers.min() <= numbers.max() < spelling.count


@given(st.binary(max_size=40))
def test_pieces_of_any_bytes_are_characters_and_together_the_text(said: bytes) -> None:
    pieces = list(Bytes().pieces(Bytes().numbers(said).tolist()))
    assert set(map(len, pieces)) <= {1, 2, 3}, "a byte may end several at once: what was not whole, and its own"
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


def test_bytes_that_were_often_side_by_side_are_one_number_and_others_stay_bytes() -> None:
    first = FIRST + 256
    assert SUBWORDS.numbers(b" baba!!").tolist() == [first + 5, first + 6]
    assert SUBWORDS.numbers("xñ".encode()).tolist() == [FIRST + ord("x"), first + 3]
    assert SUBWORDS.numbers(b"<|endoftext|>").tolist() == Bytes().numbers(b"<|endoftext|>").tolist()
    moon = SUBWORDS.numbers("🌙".encode()).tolist()
    assert moon == [first + 4, *Bytes().numbers("🌙".encode()[2:]).tolist()]
    assert list(SUBWORDS.pieces([first + 5, *moon])) == [" baba", "🌙"]


def test_a_byte_has_its_number_whatever_is_merged() -> None:
    assert len(set(BYTES)) == 256
    assert [SUBWORDS.text([FIRST + byte]) for byte in b"az !"] == ["a", "z", " ", "!"]


@given(st.binary(max_size=40).map(lambda said: Bytes().numbers(said).tolist()), st.integers(0, 6))
def test_pieces_of_subwords_are_together_the_text(numbers: list[int], merged: int) -> None:
    said = [*numbers, FIRST + 256 + merged, *numbers]
    whole = b"".join(SUBWORDS._bytes(number - FIRST) for number in said)
    assert SUBWORDS.text(said) == getincrementaldecoder("utf-8")("replace").decode(whole)


def test_what_has_no_blank_is_cut() -> None:
    long = Subwords(["a a", "aa aa", "aaaa aaaa", "aaaaaaaa aaaaaaaa", "aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa"])
    numbers = long.numbers(b"a" * 2 * LONGEST)
    assert [len(long.text([number])) for number in numbers.tolist()] == [32, 16, 32, 16]


def test_who_knows_other_symbols_reads_other_texts() -> None:
    assert Characters("abc").is_read_by("ab")
    assert not Characters("abc").is_read_by("b")
    assert SUBWORDS.is_read_by(SUBWORDS.symbols)
    assert not SUBWORDS.is_read_by(SUBWORDS.symbols[:3]), "texts are split otherwise"
    assert len(SUBWORDS.numbers(story(0).encode())) < len(story(0).encode())
