from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data_contracts.contract import DataContract
from data_contracts.table import Table

CONTRACT = DataContract(
    name="things",
    version=1,
    schema=pa.schema([("name", pa.string()), ("number", pa.int32()), ("weight", pa.float32())]),
    written_by="test",
    read_by=("test",),
)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("name", "b", id="text"),
        pytest.param("number", 2, id="whole"),
        pytest.param("weight", 0.5, id="not"),
    ],
)
def test_a_filter_finds_its_rows_whatever_the_type_of_the_column(tmp_path: Path, column: str, value: object) -> None:
    table = Table(str(tmp_path), CONTRACT)
    rows = pa.table({"name": ["a", "b"], "number": [1, 2], "weight": [None, 0.5]})
    table.commit(table.write(rows, "part"), consumed=["test"])
    assert table.read(where=pc.field(column) == value).num_rows == 1
    assert table.read(where=pc.field("weight").is_null()).num_rows == 1
