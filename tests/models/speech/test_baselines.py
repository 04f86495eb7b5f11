from __future__ import annotations

from models.speech.baselines import Commonest, WholeTexts
from tests.models.speech.tables import heard

WORDS = ["ab", "cd", "abcdab"]


def test_the_text_that_is_said_most_often_is_heard_everywhere() -> None:
    assert Commonest(iter(["b", "a", "b", "a", "c"])).heard([heard("ab")] * 2) == ["a", "a"]


def test_whole_texts_are_told_from_each_other_whatever_the_noise_and_the_length() -> None:
    pieces = [([heard(word, seed=seed) for word in WORDS], WORDS) for seed in range(8)]
    machine = WholeTexts(pieces)
    assert machine.heard([heard(word, seed=99) for word in WORDS[::-1]]) == WORDS[::-1]
    assert machine.heard([]) == []


def test_one_text_alone_is_what_everything_says() -> None:
    assert WholeTexts([([heard("ab")], ["ab"])]).heard([heard("cd"), heard("ab")]) == ["ab", "ab"]
