from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from models.rows import files
from models.rows.files import RowsOnDisk, write_own
from models.rows.shard import Shard
from models.rows.table import Rows
from models.weights import WeightsError

COUNT, WIDTH, FILES = 10, 3, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def write(folder: Path, processes: int, *, count: int = COUNT, width: int = WIDTH, double: bool = False) -> None:
    for rank in range(processes):
        rows = Rows(count, width, std=1.0, shard=Shard(rank, processes))
        write_own(rows.double() if double else rows, "table", folder)


def opened(folder: Path, *, count: int = COUNT) -> RowsOnDisk:
    return RowsOnDisk(folder, "table", count=count, width=WIDTH, files=FILES)


def test_rows_on_disk_are_those_of_the_whole_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "NUMBERS_AT_ONCE", 2 * WIDTH)
    whole, stored = Rows(COUNT, WIDTH, std=1.0), opened(folder)
    number = torch.tensor([[9, 0, 3], [4, 4, 7]])
    assert torch.equal(stored(number), whole(number))
    assert stored(number[:0]).shape == (0, 3, WIDTH)
    blocks = list(stored.blocks())
    assert [first for first, _ in blocks] == [0, 2, 4, 6, 8]
    assert torch.equal(torch.cat([row_RD for _, row_RD in blocks]), whole.weight)
    for start, stop in ((0, 4), (3, 9), (5, 6), (8, 20), (12, 14)):
        assert torch.equal(stored.between(start, stop), whole.weight[start:stop])
    assert torch.equal(stored.between(5, None), whole.weight[5:])


def test_rows_in_double_precision_answer_in_single_and_are_passed_on_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, FILES, double=True)
    stored = opened(tmp_path)
    assert {row_RD.dtype for _, row_RD in stored.blocks()} == {stored(torch.tensor([1])).dtype} == {torch.float32}
    assert stored.between(0, 5).dtype == torch.float64


def test_all_files_that_are_wrong_are_named(folder: Path) -> None:
    (folder / "rows-00001-of-00003.safetensors").unlink()
    (folder / "rows-00003-of-00003.safetensors").write_bytes(b"torn")
    (folder / "rows-00002-of-00003.safetensors").rename(folder / "rows-00002-of-00004.safetensors")
    wanted = (
        f"10 rows of 'table' are wanted in 3 files in {folder}, 4 are wrong:\n"
        "  - rows-00001-of-00003.safetensors: missing\n"
        "  - rows-00002-of-00003.safetensors: missing\n"
        "  - rows-00002-of-00004.safetensors: not one of the 3 files that are wanted\n"
        "  - rows-00003-of-00003.safetensors: SafetensorError: "
    )
    with pytest.raises(WeightsError, match=f"^{re.escape(wanted)}.*\nFetch all files"):
        opened(folder)


@pytest.mark.parametrize(
    ("count", "width", "said"),
    [
        pytest.param(13, WIDTH, "rows 5…9 of width 3, wanted rows 4…7 of width 3", id="overlapping"),
        pytest.param(COUNT, 2, "rows 4…7 of width 2, wanted rows 4…7 of width 3", id="narrower"),
    ],
)
def test_files_of_another_table_are_refused(folder: Path, count: int, width: int, said: str) -> None:
    rows = Rows(count, width, shard=Shard(1, FILES))
    write_own(rows, "table", folder)
    with pytest.raises(WeightsError, match=rf"1 are wrong:\n  - rows-00002-of-00003\.safetensors: {said}\n"):
        opened(folder)


def test_files_with_another_name_for_the_table_are_refused(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"3 are wrong:\n.*KeyError: 'other'"):
        RowsOnDisk(folder, "other", count=COUNT, width=WIDTH, files=FILES)
