from __future__ import annotations

import pyarrow as pa
import pytest

from data_contracts.contract import SchemaMismatchError
from data_contracts.recommender.items import ITEM_COUNTS


def test_every_column_that_is_not_as_promised_is_named_at_once() -> None:
    table = pa.table({"item_index": [[1]], "count": pa.array([None], pa.int64())})
    with pytest.raises(SchemaMismatchError) as error:
        ITEM_COUNTS.conform(table)
    problems = ["'item_index': list<", "'count': 1 nulls, wanted none", "'window': missing, wanted string"]
    assert all(problem in str(error.value) for problem in problems), error.value
