"""Labels that come later: real tables, real nights, every example as it is counted anew from the whole log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_contracts.contract import ContractViolationError
from data_contracts.days import days_of
from data_contracts.night import HeldOut, Night, Workspace
from data_contracts.quarantine import QUARANTINE
from data_contracts.risk.examples import FEATURES
from data_contracts.table import Table
from data_contracts.waiting import Waiting
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.risk.config import FeatureConfig
from tasks.preprocess.risk.tables import Tables
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_labels, validate_night
from tests.data_contracts.risk.deals import Deal, counted
from tests.killing import Killed, killed_at
from tests.tasks.preprocess.risk.nights import build, day, publish, workspace

pytestmark = pytest.mark.slow

ENDS = (5, 6, 8)
"""Last day of each night's window."""
ZONE = "Asia/Shanghai"
WAIT = FeatureConfig(label_days=4)
HELD = HeldOut(min_targets=3, min_units=1)
SCHEMA = {"transaction_id": pl.String, "label": pl.Int8, "labelled_at": pl.Datetime("us", "UTC")}


def night_of(number: int) -> int:
    """Return the night whose window has a day."""
    return next(night for night, end in enumerate(ENDS) if number <= end)


def moment(number: int, minute: int) -> datetime:
    """Return a moment of a day of the zone: by UTC it is of the day before."""
    return datetime.combine(day(number), time(minute=minute % 60), UTC) + timedelta(hours=minute // 60 - 8)


def made_up(count: int = 70) -> list[Deal]:
    """Make a log up: rows and labels on time or late, labels that are said early, too late for use, or never."""
    chance, last = np.random.default_rng(3), len(ENDS) - 1
    log = []
    for _ in range(count):
        happened, later = int(chance.integers(0, ENDS[-1] + 1)), int(chance.choice([0, 0, 1, 2, 3, 4]))
        never = chance.random() < 0.2 or happened + later > ENDS[-1]
        giver, getter = (int(each) for each in chance.choice(6, 2, replace=False))
        late, slow = (int(each) for each in chance.choice([0, 0, 0, 1, 2], 2))
        log.append(
            Deal(
                happened,
                giver,
                getter,
                label=None if never else int(chance.random() < 0.4),
                amount=float(chance.lognormal(3)),
                later=0 if never else later,
                night=min(night_of(happened) + late, last),
                told=0 if never else min(night_of(happened + later) + slow, last),
            )
        )
    return log


def rows(log: Sequence[Deal], night: int) -> pl.DataFrame:
    """Return the transactions that come in a night; each seventh brings its label, and has no id."""
    return pl.DataFrame(
        [
            {
                "from_party": f"p{deal.giver}",
                "to_party": f"p{deal.getter}",
                "amount": deal.amount,
                "label": deal.label if is_own(number, deal) else None,
                "happened_at": moment(deal.day, number),
                "transaction_id": None if is_own(number, deal) else f"t{number}",
            }
            for number, deal in enumerate(log)
            if deal.night == night
        ],
        schema_overrides={"label": pl.Int8, "transaction_id": pl.String, "happened_at": SCHEMA["labelled_at"]},
    )


def is_own(number: int, deal: Deal) -> bool:
    """Whether a transaction brings its label."""
    return number % 7 == 0 and deal.later == 0 and deal.label is not None and deal.told <= deal.night


def waits(deal: Deal, night: int) -> bool:
    """Whether a transaction has no label by the end of a night's window, and one may still come."""
    is_known = deal.label is not None and deal.told <= night and deal.day + deal.later <= ENDS[night]
    return deal.night <= night and not is_known and deal.day + WAIT.label_days > ENDS[night]


def labels(log: Sequence[Deal], night: int) -> pl.DataFrame:
    """Return the labels that come in a night: some a day before their transaction, and one of nobody."""
    said = [
        (f"t{number}", deal.label, moment(deal.day + (deal.later or -(number % 2)), number))
        for number, deal in enumerate(log)
        if deal.told == night and deal.label is not None and not is_own(number, deal)
    ]
    return pl.DataFrame([*said, ("nobody's", 1, moment(ENDS[night], 0))], schema=SCHEMA, orient="row")


def examples(home: Workspace, night: Night) -> pl.DataFrame:
    """Read them, in order of time."""
    table = pl.DataFrame(Tables(home.tables).examples.read(night.tables["examples"]))
    return table.sort("happened_at", "known_at")


def test_an_example_is_written_once_both_are_known_with_what_was_known_before_it_happened(
    tmp_path: Path, cluster: str
) -> None:
    home, log, done = workspace(tmp_path, ZONE), made_up(), []
    first = 0
    for number, end in enumerate(ENDS):
        told = publish(home, rows(log, number), range(first, end + 1), labels(log, number))
        if number:
            with pytest.raises(Killed), killed_at("party_days", "after"):
                build(home, told, cluster, HELD, WAIT)
        done.append(build(home, told, cluster, HELD, WAIT))
        first = end + 1
        said = Waiting.of(Tables(home.tables).examples)
        assert said is not None
        assert said.rows_waiting == sum(waits(deal, number) for deal in log)
    assert build(home, told, cluster, HELD, WAIT) == done[-1]
    found = examples(home, done[-1])
    wanted = sorted((moment(deal.day, number), deal) for number, deal in enumerate(log) if deal.label is not None)
    assert found["happened_at"].to_list() == [at for at, _ in wanted]
    assert found["label"].to_list() == [deal.label for _, deal in wanted]
    known = found.select(days_of(pl.col("known_at"), ZONE)).to_series().to_list()
    assert known == [day(deal.day + deal.later) for _, deal in wanted]
    for (_, deal), row in zip(wanted, found.to_dicts(), strict=True):
        windows = done[deal.known_night].windows
        past = (
            not deal.known_night and deal.day + deal.later < done[0].window.first_day.toordinal() - day(0).toordinal()
        )
        assert row["window"] == windows[-2 if past else -1], deal
        assert {name: row[name] for name in FEATURES} == pytest.approx(counted(log, deal), rel=1e-4, abs=1e-5), deal


def test_of_labels_of_one_transaction_the_first_counts_once(
    tmp_path: Path, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Said again, said otherwise, said otherwise once it is done; one more than `label_days` days late is not used.

    A night that began waits as long as it began with.
    """
    home, log = workspace(tmp_path), [Deal(number % 4, number % 3, 3 + number % 3, amount=1.0) for number in range(12)]
    own = [(f"t{number}", number % 2, moment(number % 4, 600)) for number in range(12) if number not in (2, 3)]
    said = [("t0", 0, moment(1, 700)), ("t1", 0, moment(2, 700))]
    bare = rows([deal._replace(label=None) for deal in log], 0)
    caplog.set_level(logging.INFO)
    first = publish(home, bare, range(6), pl.DataFrame([*said, *own], SCHEMA, orient="row"))
    with pytest.raises(Killed), killed_at("parties", "after"):
        build(home, first, cluster, HELD, WAIT)
    with pytest.raises(OtherFeaturesError, match=r"features.label_days: the tables have 4, the settings say 5"):
        build(home, first, cluster, HELD, FeatureConfig(label_days=5))
    build(home, first, cluster, HELD, WAIT)
    assert "12 transactions: 10 are examples; 2 have no label yet" in caplog.text
    assert "1 transactions have labels that differ" in caplog.text
    later = [("t0", 1, moment(6, 0)), ("t2", 1, moment(6, 0)), ("t3", 1, moment(8, 0))]
    more = publish(home, bare[:1].with_columns(transaction_id=pl.lit("t99"), happened_at=moment(8, 900)), range(6, 9),
                   pl.DataFrame(later, SCHEMA, orient="row"))  # fmt: skip
    night = build(home, more, cluster, HELD, WAIT)
    found = examples(home, night)
    assert found.height == 11
    newest = found.filter(pl.col("window") == night.window.key)
    assert newest.select("label", "known_at").rows() == [(1, moment(6, 0))]
    everybody = pl.DataFrame(Tables(home.tables).party_days.read()).filter(pl.col("party") == 0)
    assert everybody.select("count", "labelled", "bad").sum().row(0) == (13, 11, 6)


def test_a_night_in_which_nobody_said_anything_is_a_window_and_old_rows_are_labelled_when_labels_begin(
    tmp_path: Path, cluster: str
) -> None:
    home = workspace(tmp_path, ZONE)
    log = [Deal(number % 4, 1, 2, label=number % 2, amount=1.0) for number in range(14)]
    bare = rows(log, 0).with_columns(
        label=pl.Series([number % 2 if number > 2 else None for number in range(14)], dtype=pl.Int8),
        transaction_id=pl.Series([f"t{number}" if number != 2 else None for number in range(14)]),
        outcome=5.0,
    )
    build(home, publish(home, bare, range(4)), cluster, HELD, WAIT)
    one = bare[:1].with_columns(happened_at=moment(4, 900), transaction_id=pl.lit("t99"))
    quiet = build(home, publish(home, one, [4], pl.DataFrame(schema=SCHEMA)), cluster, HELD, WAIT)
    assert (quiet.windows[-1], examples(home, quiet).height) == (day(4).isoformat(), 14)
    wanted = Waiting(rows_waiting=2, rows_given_up=1)
    assert Waiting.of(Tables(home.tables).examples) == wanted, "one without an id has no label to wait for"
    two = one.with_columns(happened_at=moment(5, 900), transaction_id=pl.lit("t98"))
    said = pl.DataFrame([("t1", 1, moment(5, 0))], SCHEMA, orient="row")
    night = build(home, publish(home, two, [5], said), cluster, HELD, WAIT)
    found = examples(home, night).filter(pl.col("window") == night.window.key)
    assert found.select("label", "happened_at", "known_at").rows() == [(1, moment(1, 1), moment(5, 0))]
    everybody = pl.DataFrame(Tables(home.tables).party_days.read()).filter(pl.col("party") == 0)
    summed = everybody.select("count", "labelled", "outcomes", "outcome").sum().row(0)
    assert summed == (16, 12, 12, 60.0), "an outcome counts once, with its label"


def test_where_labels_come_a_transaction_that_none_can_find_is_kept_aside_or_stops_the_night(
    tmp_path: Path, cluster: str
) -> None:
    home, said = workspace(tmp_path), f"{day(0)}T12:00:00Z"
    came, told_later = (tmp_path / name for name in ("came", "said"))
    for folder, head in {came: "transaction_id,from_party,to_party,happened_at", told_later: ",".join(SCHEMA)}.items():
        folder.mkdir()
        (folder / "0.csv").write_text(f"{head}\n")
    source, of_labels = SourceConfig(uri=str(came), format="csv"), LabelSourceConfig(uri=str(told_later), format="csv")
    config = ValidationConfig(max_quarantined=0.4, complete_day=0)
    validate_labels(home, stage_night(home, of_labels, cluster), config, cluster)
    (came / "1.csv").write_text(
        f"transaction_id,from_party,to_party,happened_at\na,x,y,{said}\n,x,z,{said}\nb,y,z,{said}\n"
    )
    told = validate_night(home, stage_night(home, source, cluster), None, config, cluster)
    assert (told.accepted, told.quarantined) == (2, 1)
    assert Table(home.tables, QUARANTINE).read()["rule"].to_pylist() == ["neither transaction_id nor label"]
    (came / "2.csv").write_text(f"transaction_id,from_party,to_party,happened_at\n,v,y,{said}\n,v,z,{said}\n")
    with pytest.raises(ContractViolationError, match="neither transaction_id nor label: 2 rows"):
        validate_night(home, stage_night(home, source, cluster), None, config, cluster)
