"""A step of a bare PyTorch loop: what `models.fit` computes, without Lightning, in one process."""

from __future__ import annotations

import numpy as np
import torch

from models.recommender.module import Batch, RecommenderModule
from models.rows.exchange import set_gradient


def step(module: RecommenderModule, batch: Batch, optimizer: torch.optim.Optimizer, number: int) -> float:
    """Take step ``number``, from 0, and return its loss; it draws what `models.steps.SeedOfStep` has it draw."""
    fit = module.config.fit
    place = np.random.SeedSequence([fit.seed, number, 0])
    torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))
    module.hold(batch)
    loss = module.loss(module.network(batch.inputs), batch.targets)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    gradients = []
    for rows, number_U, gradient_UD in module.release():
        set_gradient(rows.weight, number_U, gradient_UD)
        gradients.append(gradient_UD)
    gradients += [each.grad for each in module.parameters() if each.requires_grad and each.grad is not None]
    torch._foreach_mul_(gradients, (fit.clip_norm / (torch.nn.utils.get_total_norm(gradients) + 1e-6)).clamp(max=1))
    optimizer.step()
    return float(loss)
