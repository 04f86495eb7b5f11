from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.medical.predictor import MedicalPredictor
from models.medical.scorer import Scorer
from models.metrics import chance
from tests.data_contracts.vision.made_up import bars, encoded
from tests.models.medical.tables import FINDING, write_weights

PIXELS, _ = bars(30, size=12)


def ask(folder: Path, *images: bytes | None) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = (
        MedicalPredictor(folder).predict(pa.table({"image": pa.array(images, pa.binary())})).to_pylist()
    )
    return answers


def test_an_answer_says_yes_from_the_threshold_on_and_abstains_inside_the_band(tmp_path: Path) -> None:
    log_odds = np.sort(Scorer.open(write_weights(tmp_path / "plain")).log_odds(PIXELS))
    low, high = chance(log_odds[[10, 20]]).tolist()
    folder = write_weights(tmp_path / "weights", threshold=float(log_odds[25]), abstains={"low": low, "high": high})
    answers = ask(folder, *(encoded(each[:, :, 0]) for each in PIXELS))
    by_chance = sorted(answers, key=lambda answer: float(answer["probability"]))
    assert [answer["says"] for answer in by_chance] == ["no"] * 10 + ["abstains"] * 11 + ["no"] * 4 + ["yes"] * 5
    assert {answer["finding"] for answer in answers} == {FINDING}
    assert [answer["probability"] for answer in by_chance] == pytest.approx(chance(log_odds).tolist(), abs=1e-6)
    for answer in answers:
        assert len(answer["saliency"]) == answer["saliency_side"] ** 2 == 144
        assert 0 <= min(answer["saliency"]) < max(answer["saliency"]) == 1


def test_bad_pictures_are_named_by_their_rows(tmp_path: Path) -> None:
    folder, good = write_weights(tmp_path / "weights"), encoded(PIXELS[0, :, :, 0])
    with pytest.raises(ValueError, match=r"request 1: image is no PNG or JPEG.*request 2: image cut short.*\.$"):
        ask(folder, good, b"GIF", good[:-40])
    with pytest.raises(ValueError, match="1 nulls, wanted none"):
        ask(folder, None)
    assert ask(folder) == []
