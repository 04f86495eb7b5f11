from __future__ import annotations

from models.risk.config import RiskConfig


def test_a_setting_of_the_training_leaves_the_others_as_they_are() -> None:
    told = RiskConfig.model_validate({"fit": {"seed": 1}}).fit
    assert told == RiskConfig().fit.model_copy(update={"seed": 1})
    assert (told.batch_size, told.max_epochs, told.patience) == (256, 30, 10)


def test_layers_are_as_many_as_it_can_be_cut_into() -> None:
    assert RiskConfig.model_validate({"network": {"hidden": 3}}).layers == 5
