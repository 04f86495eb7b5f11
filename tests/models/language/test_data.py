from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from data_contracts.job import Config, TablesAt, Validation
from data_contracts.language.spelling import spelling
from data_contracts.language.symbols import BOUNDARY
from models.batches import Share
from models.language.data import LanguageData, Stretches
from models.language.module import NOTHING, Batch
from models.language.reading import symbols
from tests.data_contracts.language.made_up import stories
from tests.models.jobs import WINDOWS
from tests.models.language.tables import FEATURES, SUBWORDS, fit_job, write_subwords, write_tables

L = 8


def stretches(symbols: int, seed: int | None = None) -> Stretches:
    return Stretches(np.arange(symbols, dtype=np.int32), L, "test", seed)


def batch(of: Stretches, rows: list[int], *, step: int = 0, height: int = 1) -> Batch:
    share = Share(examples=len(rows), targets=int(of.targets()[rows].sum()), step=step, height=height, fixed=True)
    return of.batch(np.array(rows, np.int64), share)


@pytest.mark.parametrize("symbols", [1, 2, 8, 9, 10, 16, 17, 18, 100])
def test_what_validates_predicts_every_symbol_once(symbols: int) -> None:
    of = stretches(symbols)
    found = batch(of, list(range(len(of))))
    wanted = found.targets.symbol_BL
    assert wanted[wanted != NOTHING].tolist() == list(range(1, symbols))
    assert of.targets().sum() == symbols - 1
    assert (found.inputs[wanted != NOTHING] == wanted[wanted != NOTHING] - 1).all()


@pytest.mark.parametrize("symbols", [2, 5, 9, 10, 100])
def test_what_is_learned_from_is_counted_and_begins_elsewhere_in_each_pass(symbols: int) -> None:
    of = stretches(symbols, seed=1)
    rows = list(range(len(of)))
    seen = set()
    for step in range(30):
        wanted = batch(of, rows, step=step).targets.symbol_BL
        assert ((wanted != NOTHING).sum(dim=1).numpy() == of.targets()).all()
        seen |= set(wanted[wanted != NOTHING].tolist())
        (last,) = batch(of, rows[-1:], step=step).targets.symbol_BL
        torch.testing.assert_close(last, wanted[-1]), "whichever process takes it"
    assert len(seen) > 0.9 * (symbols - 1)
    assert symbols < 2 * L or len({batch(of, [0], step=step).inputs[0, 0].item() for step in range(30)}) > L / 2


def test_rows_that_fill_a_share_up_predict_nothing() -> None:
    found = batch(stretches(100), [3], height=4)
    assert found.inputs.shape == (4, L)
    assert (found.targets.symbol_BL[1:] == NOTHING).all()


def test_documents_lie_behind_each_other_and_some_validate(tmp_path: Path) -> None:
    texts = {window: stories(100, seed=number) for number, window in enumerate(WINDOWS)}
    data = LanguageData(fit_job(write_tables(tmp_path / "tables", texts), tmp_path))
    data.setup("fit")
    documents = [
        np.split(each.symbol_T, np.flatnonzero(each.symbol_T == BOUNDARY)) for each in (data.training, data.validation)
    ]
    learned, validating = ([each[1:] for each in own if len(each) > 1] for own in documents)
    assert 0 < len(validating) < 20
    assert len(learned) + len(validating) == 200
    assert sum(map(len, learned)) + sum(map(len, validating)) == sum(
        len(text.decode()) for own in texts.values() for text in own
    )


def test_a_whole_window_validates_where_it_is_not_learned_from(tmp_path: Path) -> None:
    texts = {window: stories(10, seed=number) for number, window in enumerate(WINDOWS)}
    validation = Validation(window=WINDOWS[1], whole=True)
    job = fit_job(write_tables(tmp_path / "tables", texts), tmp_path, windows=WINDOWS[:1], validation=validation)
    data = LanguageData(job)
    data.setup("fit")
    assert [(each.symbol_T == BOUNDARY).sum() for each in (data.training, data.validation)] == [11, 11]


@pytest.mark.parametrize(("features", "write"), [(FEATURES, write_tables), (SUBWORDS, write_subwords)])
def test_of_all_older_windows_some_is_replayed(
    tmp_path: Path, features: Config, write: Callable[[Path, dict[str, list[bytes]]], TablesAt]
) -> None:
    older = [f"2026-02-{day:02}" for day in range(1, 11)]
    texts = {
        window: [window.encode() * 9 + text for text in stories(60, seed=number)]
        for number, window in enumerate([*older, *WINDOWS])
    }
    tables, known = write(tmp_path / "tables", texts), (*older, *WINDOWS)
    of = partial(fit_job, tables, tmp_path, features=features)
    job = of(windows=WINDOWS, known_windows=known, replayed=tuple(older), replay=1.0)
    data, alone = LanguageData(job), LanguageData(of(run_id="alone"))
    data.setup("fit")
    alone.setup("fit")
    assert 1.7 < len(data.training.symbol_T) / len(alone.training.symbol_T) < 2.3
    own = spelling(str(features["tokens"]), symbols(tables))
    learned = own.text(data.training.symbol_T[data.training.symbol_T > 0].tolist())
    assert all(window in learned for window in older)
    assert len(data.validation) == len(alone.validation)


def test_what_says_nearly_the_same_as_a_document_that_validates_is_not_learned_from(tmp_path: Path) -> None:
    first = stories(100)
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: [b"Again: " + text for text in first], WINDOWS[1]: first})
    data = LanguageData(fit_job(tables, tmp_path))
    data.setup("fit")
    learned, validating = ((each.symbol_T == BOUNDARY).sum() - 1 for each in (data.training, data.validation))
    assert validating > 0
    assert learned <= 200 - 2 * validating + validating // 4


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: stories(3), WINDOWS[1]: stories(3, seed=1)})
    with pytest.raises(ValueError, match="no document to learn from in windows 2026-04-01"):
        LanguageData(fit_job(tables, tmp_path, windows=("2026-04-01",))).setup("fit")
