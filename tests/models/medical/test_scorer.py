from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.medical.scorer import Reading, Scorer
from models.vision.weights import load
from tests.data_contracts.vision.made_up import bars
from tests.models.medical.tables import ALL, FINDING, write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "weights", scale=0.5, offset=-1.0)


def test_log_odds_are_those_of_the_class_that_is_looked_for_calibrated(folder: Path) -> None:
    pixels, _ = bars(70, size=12)
    with torch.no_grad():
        chance_BC = load(folder).network(torch.from_numpy(pixels)).double().softmax(dim=1).numpy()
    chance_B = chance_BC[:, ALL.index(FINDING)]
    wanted = 0.5 * np.log(chance_B / (1 - chance_B)) - 1.0
    np.testing.assert_allclose(Scorer.open(folder).log_odds(pixels), wanted, rtol=1e-4)
    assert Scorer.open(folder).log_odds(pixels[:0]).shape == (0,)


def test_a_map_says_what_the_log_odds_hang_on(folder: Path) -> None:
    scorer = Scorer.open(folder)
    pixels, _ = bars(3, size=12)
    map_BSS = scorer.saliency(pixels)
    assert map_BSS.shape == (3, 12, 12)
    np.testing.assert_allclose(map_BSS.max(axis=(1, 2)), 1)
    (row, column), other = np.unravel_index(map_BSS[0].argmax(), (12, 12)), map_BSS[0].argmin()
    brighter = np.repeat(pixels[:1], 2, axis=0).astype(np.int64)
    step = np.where(brighter > 127, -2, 2)
    for place, at in enumerate([(row, column), np.unravel_index(other, (12, 12))]):
        brighter[(place, *at)] += step[(place, *at)]
    moved = np.abs(scorer.log_odds(brighter.astype(np.uint8)) - scorer.log_odds(pixels[:1]))
    assert moved[0] > moved[1], "where the map is brightest, a change says more than where it is darkest"


@pytest.mark.parametrize("finding", ["unheard of", ""])
def test_what_no_class_is_called_cannot_be_looked_for(folder: Path, finding: str) -> None:
    with pytest.raises(ValueError, match=r"model.finding is '.*', and the labels are .* Set model.finding\."):
        Scorer(load(folder), Reading(finding=finding))
