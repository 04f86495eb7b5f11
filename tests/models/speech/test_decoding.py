from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.speech.decoding import BEAM_SYMBOLS, Decoder, Logits

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


@pytest.mark.parametrize(
    ("places", "text"),
    [
        pytest.param("op abcdefgh", "op", id="cut inside a word that is too sure to be another"),
        pytest.param("abcdefgh", "", id="nothing but such a word"),
        pytest.param("op b b abcdef_", "op b b", id="a blank behind it"),
        pytest.param("op abcdefghijkl", "op abcdefghijkl", id="a whole one"),
    ],
)
def test_a_word_that_is_cut_off_is_left_out(places: str, text: str) -> None:
    symbols = "abcdefghijklop "
    sure = logits(places, symbols=symbols, hot=12)
    assert decoder(("abcdefghijkl", "b", "op"), symbols).heard(sure).text == text


def many_symbols(*, separator: str) -> str:
    return "".join(chr(0x4E00 + place) for place in range(3_000)) + separator


@pytest.mark.parametrize("separator", [" ", ""])
def test_the_last_word_of_a_large_alphabet_needs_nothing_behind_it(separator: str) -> None:
    symbols = many_symbols(separator=separator)
    words = (symbols[:2], symbols[2_997:3_000], symbols[5])
    said = separator.join(words) if separator else words[1]
    heard = decoder(words, symbols).heard(logits(said, symbols=symbols, hot=12))
    assert heard.text == said


@pytest.mark.parametrize(("better", "heard"), [(BEAM_SYMBOLS - 1, True), (BEAM_SYMBOLS, False)])
def test_only_the_likeliest_symbols_of_a_place_are_looked_at(better: int, heard: bool) -> None:  # noqa: FBT001
    symbols = many_symbols(separator=" ")
    logit_LV = np.zeros((1, len(symbols) + 1), np.float32)
    logit_LV[0, 1] = 1
    logit_LV[0, 2 : 2 + better] = 2
    assert bool(decoder((symbols[0],), symbols).heard(logit_LV).text) is heard


def long_sound(words: tuple[str, ...], *, count: int, seed: int) -> Logits:
    said = np.random.default_rng(seed).choice(words, count)
    return logits("".join(f"{letter}_" for letter in " ".join(said)), hot=2)


def many_words() -> tuple[str, ...]:
    random = np.random.default_rng(0)
    return tuple("".join(random.choice(list("abcde"), 6)) for _ in range(1_000))


def test_other_threads_run_while_a_long_sound_is_read() -> None:
    words = many_words()
    reader, sound = decoder(words), long_sound(words, count=900, seed=1)
    ticks = 0
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.heard, sound)
        while not reading.done():
            time.sleep(0.001)
            ticks += 1
    assert len(sound) > 12_000
    assert len(reading.result().words) > 700
    assert ticks > 25


def test_threads_that_share_a_decoder_hear_what_one_does() -> None:
    words = many_words()
    reader, sounds = decoder(words), [long_sound(words, count=20 + seed, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reader.heard, sounds)) == [decoder(words).heard(sound) for sound in sounds]
