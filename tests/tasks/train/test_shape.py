from __future__ import annotations

import json
from pathlib import Path

from data_contracts.bundle import FORMAT, TRAINING
from models.recommender.config import NetworkConfig, RecommenderConfig
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.train.shape import shape, shape_of

MODEL, FEATURES = RecommenderConfig(network=NetworkConfig(width=8)), FeatureConfig()


def test_a_setting_that_came_since_or_is_gone_makes_no_other_shape(tmp_path: Path) -> None:
    model, features = MODEL.model_dump(mode="json"), FEATURES.model_dump(mode="json")
    del model["network"]["dropout"]
    model["network"]["activation"] = "gelu"
    (tmp_path / TRAINING).write_text(json.dumps({"format": FORMAT, "model": model, "features": features}))
    assert shape_of(tmp_path, MODEL, FEATURES) == shape(MODEL, FEATURES)
    assert shape_of(tmp_path, RecommenderConfig(), FEATURES) != shape(RecommenderConfig(), FEATURES)


def test_a_network_of_a_former_kind_is_of_no_shape_that_is_trained(tmp_path: Path) -> None:
    model, features = MODEL.model_dump(mode="json"), FEATURES.model_dump(mode="json")
    del model["network"]["kind"]
    (tmp_path / TRAINING).write_text(json.dumps({"model": model, "features": features}))  # as format 2 had it
    assert shape_of(tmp_path, MODEL, FEATURES) == {}


def test_settings_that_cannot_be_understood_are_of_no_shape(tmp_path: Path) -> None:
    assert shape_of(tmp_path, MODEL, FEATURES) == {}
    (tmp_path / TRAINING).write_text(json.dumps({"model": {"network": {"width": "wide"}}, "features": {}}))
    assert shape_of(tmp_path, MODEL, FEATURES) == {}
