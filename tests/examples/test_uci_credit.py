from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from examples.uci_credit import LEARNED_AT, main

HEAD = "ID,AGE,default.payment.next.month"


def test_a_fifth_of_both_kinds_of_clients_judges_and_is_a_day_newer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{client},{client % 60},{int(client % 4 == 0)}" for client in range(100)]
    file = tmp_path / "UCI.csv"
    file.write_bytes("\r".join([HEAD, *lines]).encode())
    main(["--file", str(file), "--folder", str(tmp_path / "logs")])
    learned, judging = (tmp_path / "logs" / f"{name}.csv" for name in ("learned", "judging"))
    (head, *known), (other_head, *judged) = (path.read_text().splitlines() for path in (learned, judging))
    assert head == other_head == HEAD
    assert sorted([*known, *judged]) == sorted(lines)
    assert Counter(line[-1] for line in judged) == {"0": 15, "1": 5}
    days = [(path.stat().st_mtime - LEARNED_AT.timestamp()) / 86_400 for path in (learned, judging)]
    assert days == [0, 1]
    assert "judging.csv: 20 clients" in capsys.readouterr().out
