from __future__ import annotations

import pytest

from data_contracts.parallelism import ParallelismConfig
from models.fit_config import FitConfig, ModelConfig

PIPED = {"strategy": "pipeline", "pipeline_stages": 2, "processes_per_node": 2, "microbatches": 4}


@pytest.mark.parametrize(
    ("parallelism", "fit", "layers", "said"),
    [
        ({}, {"batch_size": 7, "accumulate": 3, "compile": True, "activation_checkpointing": True}, 1, []),
        (PIPED, {"batch_size": 8, "compile": True, "activation_checkpointing": True}, 2, []),
        (
            PIPED,
            {"batch_size": 8},
            1,
            ["2 stages (2 processes x 1 under `1f1b`) need as many layers"],
        ),
        (
            PIPED,
            {"batch_size": 10},
            4,
            ["must be divisible by 4 under `pipeline` (1 replicas x 4 microbatches). Try 8."],
        ),
        (
            PIPED | {"processes_per_node": 2, "max_nodes": 2},
            {"batch_size": 12},
            4,
            ["must be divisible by 8 under `pipeline` (2 replicas x 4 microbatches). Try 8."],
        ),
        (
            PIPED,
            {"batch_size": 8, "accumulate": 2},
            4,
            ["model.fit.accumulate is 2: under `pipeline` a share is"],
        ),
        (
            PIPED | {"schedule": "zero_bubble"},
            {"batch_size": 6, "compile": True, "activation_checkpointing": True},
            3,
            [
                "need as many layers",
                "must be divisible",
                "model.fit.activation_checkpointing: `zero_b",
                "model.fit.compile: `zero_b",
            ],
        ),
    ],
)
def test_what_does_not_go_together_is_all_said(
    parallelism: dict[str, object], fit: dict[str, object], layers: int, said: list[str]
) -> None:
    config, ways = FitConfig.model_validate(fit), ParallelismConfig.model_validate(parallelism)
    problems = config.problems(ways, layers)
    assert len(problems) == len(said), problems
    assert all(part in problem for part, problem in zip(said, problems, strict=True)), problems


def test_settings_that_give_no_network_its_shape_are_refused_when_they_are_declared() -> None:
    with pytest.raises(TypeError, match=r"Shapeless has no field `network`: what must be equal"):

        class Shapeless(ModelConfig, frozen=True, extra="forbid"):
            net: int = 1
