from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.vision.sources import FEW_SOURCES, of_sources


def test_each_source_is_judged_by_its_own_images() -> None:
    right, loss = np.array([1.0, 0, 0, 1, 1]), np.array([0.1, 2, 3, 0.1, 0.3])
    sources = pa.chunked_array([["north", "south"], [], ["south", None, "north"]], pa.string())
    found = of_sources({"candidate": {"accuracy": right, "log_loss": loss}}, sources)
    assert {name: part.units for name, part in found.items()} == {"source_north": 2, "source_south": 2}
    assert found["source_north"].metrics["candidate"] == pytest.approx({"accuracy": 1, "log_loss": 0.2})
    assert found["source_south"].metrics["candidate"] == pytest.approx({"accuracy": 0, "log_loss": 2.5})


@pytest.mark.parametrize(
    ("sources", "parts"),
    [
        pytest.param([None, None], 0, id="nobody says"),
        pytest.param(["north", None], 0, id="one alone"),
        pytest.param(list(map(str, range(FEW_SOURCES))), FEW_SOURCES, id="as many as may be"),
        pytest.param(list(map(str, range(FEW_SOURCES + 1))), 0, id="too many"),
    ],
)
def test_one_source_is_everything_and_many_say_nothing(sources: list[str | None], parts: int) -> None:
    found = of_sources({"candidate": {"accuracy": np.ones(len(sources))}}, pa.chunked_array([sources], pa.string()))
    assert len(found) == parts
