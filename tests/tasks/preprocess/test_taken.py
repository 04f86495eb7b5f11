from __future__ import annotations

import pytest

from data_contracts.table import Part
from tasks.preprocess.errors import RowsLostError
from tasks.preprocess.labels import Due
from tasks.preprocess.taken import Taken, add_up

DUE = [Due("a", 10, is_new=True), Due("b", 5, is_new=False)]


def part(rows: int) -> Part:
    return Part(path="", size=0, rows=rows, partition={})


def test_what_became_of_all_files_is_added_up() -> None:
    taken = [Taken([part(4), part(3)], read=10, waiting=2, done=1, disputed=1), Taken([], read=5, done=5)]
    whole = add_up(DUE, taken, "images")
    assert (whole.written, whole.read, whole.waiting, whole.done, whole.disputed) == (7, 15, 2, 6, 1)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(Taken([part(4)], read=5), id="a row is nowhere"),
        pytest.param(Taken([part(4)], read=4), id="a row was not read"),
        pytest.param(Taken([part(6)], read=5), id="a row is there twice"),
    ],
)
def test_a_row_that_is_missing_is_refused(second: Taken) -> None:
    with pytest.raises(RowsLostError, match=r"15 images were to be taken, 1[45] were read; .* No features were"):
        add_up(DUE, [Taken([part(10)], read=10), second], "images")
