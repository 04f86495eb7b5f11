from __future__ import annotations

import json

import pytest

from data_contracts.binary import from_json, with_bytes, without_bytes


def test_bytes_go_through_json_and_come_back() -> None:
    request = {"image": b"\x89PNG\xff", "k": 3, "name": "b64"}
    told = json.loads(json.dumps(without_bytes(request)))
    assert told["image"] == {"b64": "iVBOR/8="}
    assert with_bytes(told) == request


@pytest.mark.parametrize("value", ["iVBOR/8=", {"b64": "x", "more": 1}, ["b64"], None, {}])
def test_everything_else_stays_what_it_is(value: object) -> None:
    assert from_json(value) is value


def test_what_is_no_base64_is_an_error() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        from_json({"b64": "é!"})
