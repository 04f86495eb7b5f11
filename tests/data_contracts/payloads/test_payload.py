from __future__ import annotations

import pyarrow as pa

from data_contracts.check import check
from data_contracts.payloads.payload import FINE, Payload, judged, rules

EVEN = Payload(("odd", "empty"), lambda data: "empty" if not data else "odd" if len(data) % 2 else None)


def test_each_payload_is_judged_once_and_breaks_the_rule_that_names_what_is_wrong() -> None:
    column = pa.chunked_array([[b"ab", None], [], [b"a", b""]], pa.binary())
    seen = judged(column, EVEN)
    assert seen.to_pylist() == [FINE, None, "odd", "empty"]
    own = rules("bytes_are", EVEN)
    assert [rule.name for rule in own] == ["odd", "empty"]
    assert check(pa.table({"bytes_are": seen}), own).first_broken.tolist() == [-1, -1, 0, 1]


def test_of_no_payload_nothing_is_wrong() -> None:
    assert judged(pa.chunked_array([], pa.binary()), EVEN).to_pylist() == []
