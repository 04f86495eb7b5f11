from __future__ import annotations

import pytest

from tasks.train.config import TrainConfig


def test_a_replay_that_would_be_ignored_is_refused() -> None:
    with pytest.raises(ValueError, match=r"replay \(0\.5\) is of a warm start, and warm_start is false"):
        TrainConfig(warm_start=False, replay=0.5)


def test_settings_written_out_in_full_are_read_again() -> None:
    for config in (TrainConfig(warm_start=False), TrainConfig(replay=0.5)):
        assert TrainConfig.model_validate(config.model_dump()) == config
