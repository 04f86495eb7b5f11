from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pytest

from models.speech.decoding import Decoder, Logits

SYMBOLS = "abcde "
WORDS = ("abba", "cab", "bee", "dad", "a")


def logits(places: str, *, symbols: str = SYMBOLS, hot: float = 6.0) -> Logits:
    """Return logits that say a symbol for sure at each place; ``_`` is the blank."""
    logit_LV = np.random.default_rng(0).normal(size=(len(places), len(symbols) + 1)).astype(np.float32)
    for place, symbol in enumerate(places):
        logit_LV[place, symbols.find(symbol) + 1] += hot
    return logit_LV


def decoder(words: tuple[str, ...] | None = None, symbols: str = SYMBOLS) -> Decoder:
    return Decoder(symbols, seconds=0.02, words=words)


@pytest.mark.parametrize("words", [None, WORDS])
@pytest.mark.parametrize(
    ("places", "text"),
    [
        pytest.param("_aabb_ba_", "abba", id="a blank between letters that repeat"),
        pytest.param("bbe_e", "bee", id="to the last place"),
        pytest.param("_  _cab__ _ be_ee_  a_", "cab bee a", id="many words"),
        pytest.param("____", "", id="nothing"),
        pytest.param("_  _", "", id="only between words"),
    ],
)
def test_a_text_is_read_whatever_words_may_be_said(places: str, text: str, words: tuple[str, ...] | None) -> None:
    heard = decoder(words).heard(logits(places))
    assert heard.text == text
    assert [word.text for word in heard.words] == text.split()


@pytest.mark.parametrize("words", [None, WORDS])
def test_a_word_lasts_from_its_first_letter_to_its_last(words: tuple[str, ...] | None) -> None:
    heard = decoder(words).heard(logits("__ccaab__ _dd_ad___"))
    assert [(word.text, word.start_s, word.end_s) for word in heard.words] == [
        ("cab", 2 * 0.02, 7 * 0.02),
        ("dad", 11 * 0.02, 16 * 0.02),
    ]


def test_only_known_words_are_said_where_some_are_known() -> None:
    unsure = logits("_dddeed_", hot=3)
    assert decoder().heard(unsure).text == "ded"
    assert decoder(WORDS).heard(unsure).text == "dad"


def test_without_a_separator_a_text_is_one_word() -> None:
    for words in (("cab", "bee"), ("cab", "bee", "be-e")):
        heard = decoder(words, "abcde").heard(logits("_cc_a_bb__be_e_", symbols="abcde"))
        assert len(heard.words) == 1
        assert heard.text in words


def test_letters_of_a_long_text_are_all_found_among_many_words() -> None:
    random = np.random.default_rng(0)
    words = tuple("".join(random.choice(list("abcde"), 6)) for _ in range(3_000))
    said = " ".join(words[:40])
    heard = decoder(words).heard(logits("".join(f"{letter}_" for letter in said), hot=5))
    assert heard.text == said


def test_a_word_that_is_cut_off_is_no_word() -> None:
    words = ("abcdeabcdeab", "b", "ed")
    assert decoder(words).heard(logits("_ed__  _ab_c_dea_bcd", hot=12)).text == "ed"
    assert decoder(words).heard(logits("_ab_c_dea_bcd", hot=12)).text == ""


def test_of_thousands_of_characters_the_likely_ones_are_looked_at() -> None:
    letters = "".join(chr(0x4E00 + number) for number in range(3_000))
    symbols = f" {letters}"
    words = tuple(letters[start : start + 3] for start in range(0, 3_000, 3))
    places = "__".join(["".join(f"{letter}_" for letter in word) for word in words[:6]]).replace("__", "_ _")
    assert decoder(words, symbols).heard(logits(places, symbols=symbols, hot=20)).text == " ".join(words[:6])


LONG = logits("".join(f"{letter}_" for letter in " ".join(["cab bee dad abba"] * 60)), hot=5)
"""Some 2,000 places."""


def test_others_have_their_turn_while_a_long_sound_is_read() -> None:
    own, ended, turns = decoder(WORDS), Event(), 0
    reads = Thread(target=lambda: (own.heard(LONG), ended.set()))
    reads.start()
    while not ended.wait(0.001):
        turns += 1
    reads.join()
    assert turns > 5, "read at once, there would be one at most"


def test_many_threads_read_as_one_does() -> None:
    own = decoder((*WORDS, *string.ascii_lowercase))
    wanted = own.heard(LONG)
    with ThreadPoolExecutor(4) as threads:
        assert all(each == wanted for each in threads.map(own.heard, [LONG] * 8))
