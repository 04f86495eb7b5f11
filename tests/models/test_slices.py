from __future__ import annotations

import numpy as np

from models.slices import Flags, sliced


def test_each_part_is_judged_over_its_own_targets_and_an_empty_one_is_not() -> None:
    scores, unit = np.array([1.0, 0.0, 0.5]), np.array([0, 0, 1])

    def mean(chosen: Flags) -> dict[str, float]:
        return {"mean": float(scores[chosen].mean())}

    parts = {"first": np.array([True, True, False]), "late": np.array([False, True, True]), "none": np.zeros(3, bool)}
    found = sliced(parts, {"candidate": mean}, units=lambda chosen: len(set(unit[chosen])))
    assert {name: (part.units, part.metrics["candidate"]["mean"]) for name, part in found.items()} == {
        "first": (1, 0.5),
        "late": (2, 0.25),
    }
    assert sliced(parts, {})["late"].units == 2
