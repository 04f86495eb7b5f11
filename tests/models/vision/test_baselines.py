from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from models.vision.baselines import Logistic, Majority
from tests.data_contracts.vision.made_up import bars


def test_the_majority_says_how_frequent_classes_are() -> None:
    said = Majority(np.array([1, 3, 0])).probabilities(np.zeros((2, 4, 4, 1), np.uint8))
    assert said.tolist() == [[0.25, 0.75, 0.0]] * 2


def test_the_linear_model_learns_what_scikit_learns_does_and_always_the_same() -> None:
    pixels, classes = bars(200, seed=1)
    judged, wanted = bars(200, seed=2)
    said = Logistic([(pixels[:50], classes[:50]), (pixels[50:], classes[50:])], 3).probabilities(judged)
    np.testing.assert_array_equal(
        said, Logistic([(pixels[:50], classes[:50]), (pixels[50:], classes[50:])], 3).probabilities(judged)
    )
    numbers = pixels.reshape(200, -1) / 127.5 - 1
    theirs = LogisticRegression(C=1 / (1e-3 * 200), max_iter=1_000).fit(numbers, classes)
    ours = (said.argmax(axis=1) == wanted).mean()
    assert abs(ours - theirs.score(judged.reshape(200, -1) / 127.5 - 1, wanted)) < 0.03
    assert ours > 0.8


def test_it_looks_at_large_pictures_from_afar_and_knows_of_classes_that_it_never_saw() -> None:
    pixels, classes = bars(60, size=60)
    said = Logistic([(pixels, classes)], 5).probabilities(pixels)
    assert (said.argmax(axis=1) == classes).all()
    assert said[:, 3:].max() < 0.05
