from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import ctc_loss

from models.batches import Share
from models.speech.data import SpeechData
from models.speech.module import SpeechModule
from tests.models.jobs import WINDOWS
from tests.models.speech.tables import CONFIG, fit_job, said, write_tables


def test_the_parts_of_a_batch_add_up_to_its_mean_and_padding_counts_nothing(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", said({WINDOWS[0]: 30, WINDOWS[1]: 30}))
    job = fit_job(tables, tmp_path, config={**CONFIG, "augment": {"stretch": 0}})
    module, data = SpeechModule.of(job).double().eval(), SpeechData(job)
    (tmp_path / "read").mkdir()
    data.read(tmp_path / "read")
    training, _ = data.open(tmp_path / "read")
    rows, total = np.arange(6), int(training.targets()[:6].sum())
    whole, *parts = (
        training.batch(own, Share(6, total, 0, height, fixed=False))
        for own, height in ((rows, 6), (rows[:4], 7), (rows[4:], 2), (rows[:0], 3))
    )
    with torch.no_grad():
        logits = [module.network(batch.inputs.double()) for batch in (whole, *parts)]
    mean = module.loss(logits[0], whole.targets)
    added = sum(module.loss(logit, batch.targets) for logit, batch in zip(logits[1:], parts, strict=True))
    torch.testing.assert_close(added, mean, rtol=1e-9, atol=1e-9)
    one, chance_LBV = whole.targets, logits[0][:1].log_softmax(-1).transpose(0, 1)
    alone = ctc_loss(chance_LBV, one.symbol_BS[:1], one.place_B[:1], one.size_B[:1], reduction="sum")
    torch.testing.assert_close(module.quality(logits[0], whole)[0], alone / one.size_B[0])
    assert len(module.quality(logits[1], parts[0])) == 4
    assert len(module.quality(logits[3], parts[2])) == 0
