from __future__ import annotations

import base64
import math
import re

import pytest

from data_contracts.evidence import Confusion, Reliability
from data_contracts.version import CANDIDATE
from tasks.evaluate.pictures import (
    draw_confusion,
    draw_learning,
    draw_reliability,
    draw_slices,
    draw_standings,
    in_markdown,
    pictures,
)
from tests.tasks.evaluate.test_shown import EVIDENCE, SLICED

CATS = Confusion(classes=("cat", "dog"), counts=((9, 1), (0, 0)))
CHANCES = Reliability(predicted=(0.1, 0.6), seen=(0.2, 0.5), counts=(40, 10))
CURVES = {"train/loss": {1: 0.9, 2: 0.7}, "validation/mrr": {1: 0.1, 2: 0.3}}


def test_the_picture_has_a_bar_for_each_contestant_and_metric() -> None:
    (axes,) = draw_standings(EVIDENCE).axes
    assert len(axes.patches) == 4
    assert [text.get_text() for text in axes.texts] == ["0.123", "0.057", "0.020", ""], "no number, no label"


def test_a_slice_has_a_point_for_each_contestant_of_which_something_is_known() -> None:
    figure = draw_slices(SLICED)
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["new users (1,200 users)", "a |b [i] $\\frac$ (3 users)"]
    assert axes.lines[0].get_xydata().tolist()[0] == [0.2, 0]
    assert math.isnan(axes.lines[0].get_xydata()[1][0])
    assert in_markdown("slices.png", figure).startswith("![slices.png](data:"), "no name is taken for a formula"


def test_what_was_taken_for_what_is_a_picture_with_its_counts() -> None:
    (axes,) = draw_confusion(CATS).axes
    assert [text.get_text() for text in axes.texts] == ["9", "1", "", ""]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


def test_what_came_stands_beside_what_was_predicted_with_counts() -> None:
    above, below = draw_reliability(CHANCES).axes
    (_, curve) = above.lines
    assert curve.get_xydata().tolist() == [[0.1, 0.2], [0.6, 0.5]]
    (bars,) = below.collections
    assert [line[1].tolist() for line in bars.get_segments()] == [[0.1, 40], [0.6, 10]]


def test_each_metric_that_was_learned_by_has_a_panel() -> None:
    panels = draw_learning(CURVES).axes
    assert [axes.get_ylabel() for axes in panels] == list(CURVES)
    assert panels[1].lines[0].get_xydata().tolist() == [[1, 0.1], [2, 0.3]]


@pytest.mark.parametrize(
    ("told", "learned", "names"),
    [
        pytest.param({}, {}, ["evidence.png"], id="standings alone"),
        pytest.param({"confusion": {"popularity": CATS}}, {}, ["evidence.png"], id="of somebody else"),
        pytest.param(
            {"slices": SLICED.slices, "confusion": {CANDIDATE: CATS}, "reliability": {CANDIDATE: CHANCES}},
            CURVES,
            ["evidence.png", "slices.png", "confusion.png", "reliability.png", "learning.png"],
            id="everything",
        ),
    ],
)
def test_there_are_as_many_pictures_as_there_is_to_see(
    told: dict[str, object], learned: dict[str, dict[int, float]], names: list[str]
) -> None:
    assert list(pictures(EVIDENCE.model_copy(update=told), learned)) == names


def test_a_page_holds_all_of_a_picture() -> None:
    written = in_markdown("learning.png", draw_learning(CURVES))
    found = re.fullmatch(r"!\[learning.png\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", written)
    assert found
    assert base64.b64decode(found[1]).startswith(b"\x89PNG")
