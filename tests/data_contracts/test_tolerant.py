from __future__ import annotations

import pytest
from pydantic import JsonValue, ValidationError

from data_contracts.tolerant import parsed_tolerantly
from models.recommender.config import RecommenderConfig

TOLD: dict[str, JsonValue] = {
    "recent_days": 7,
    "gone": True,
    "network": {"width": 8, "activation": "gelu"},
    "loss": {"kind": "sampled_softmax", "negatives": 5, "temperature": 0.1},
}


def test_settings_that_are_unknown_are_left_out_and_those_that_came_since_have_their_default() -> None:
    parsed = parsed_tolerantly(RecommenderConfig, TOLD)
    loss = {"kind": "sampled_softmax", "negatives": 5}
    assert parsed == RecommenderConfig.model_validate({"recent_days": 7, "network": {"width": 8}, "loss": loss})
    assert "gone" in TOLD, "what was told is as it was"


def test_a_value_that_is_wrong_is_still_an_error() -> None:
    with pytest.raises(ValidationError, match=r"network\.width"):
        parsed_tolerantly(RecommenderConfig, {"gone": True, "network": {"width": -1}})
