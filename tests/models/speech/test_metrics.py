from __future__ import annotations

import numpy as np
import pytest

from models.speech.metrics import ANOTHER, FEW_TEXTS, Errors, confusion, values

SAID = ["one two", "three", "four"]
HEARD = ["one too", "three", "for ty"]


def test_words_characters_and_whole_texts_are_counted() -> None:
    found = Errors.of(SAID, HEARD).metrics(np.ones(3))
    assert found == pytest.approx({"word_error_rate": 3 / 4, "character_error_rate": 5 / 16, "exact": 1 / 3})


def test_a_recording_that_counts_twice_is_weighed() -> None:
    errors = Errors.of(SAID, HEARD)
    assert errors.metric("word_error_rate", np.array([2.0, 0, 1])) == pytest.approx(4 / 5)
    assert values("exact", {"candidate": errors})(np.array([0.0, 1, 0])) == {"candidate": 1}
    assert errors.of_part(np.array([False, True, False]))["character_error_rate"] == 0
    assert errors.of_part(np.zeros(3, np.bool_)) == {}


def test_a_network_that_gave_no_number_has_no_metric() -> None:
    found = Errors.of(SAID, [None, "three", "four"]).metrics(np.ones(3))
    assert all(map(np.isnan, found.values()))


def test_what_was_heard_as_what_is_shown_of_few_texts() -> None:
    found = confusion(["a", "a", "b"], ["a", "b", None])
    assert found is not None
    assert found.classes == ("a", "b", ANOTHER)
    assert found.counts == ((1, 1, 0), (0, 0, 1), (0, 0, 0))
    many = [str(number) for number in range(FEW_TEXTS + 1)]
    assert confusion(many, many) is None
