from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_contracts.job import TablesAt
from data_contracts.manifest import seal
from models.risk.module import RiskModule
from models.risk.weights import save
from tests.models.risk.tables import CONFIG, fit_job, write_tables


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    return write_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, tables: TablesAt) -> Path:
    """A network that nobody trained, but for noise in its party rows; sealed."""
    folder = tmp_path_factory.mktemp("weights")
    module = RiskModule.of(fit_job(folder / "run", tables, CONFIG))
    with torch.no_grad():
        module.network.first.party.weight[1:].normal_()
    save(module.network, module.config, folder / "checkpoint")
    seal(folder / "checkpoint")
    return folder / "checkpoint"
