"""What is measured, fixed beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import JsonValue


@dataclass(frozen=True)
class Sizes:
    """Of the made-up logs, the network, and the measurement.

    Attributes:
        users: Each has one example.
        events: Of each user; the first is context, all others are targets.
        items: In the catalogue, before those that nobody meets are left out.
        length: L: the longest history that is read.
        width: D.
        blocks: Transformer blocks.
        batch: Examples in a step, over all processes.
        negatives: Of the sampled softmax.
        epochs: Of a training.
        left_out: First steps of a training that are not measured.
        precision: Of weights and sums.
    """

    users: int
    events: int
    items: int
    length: int
    width: int
    blocks: int
    batch: int
    negatives: int
    epochs: int = 1
    left_out: int = 5
    precision: str = "32-true"

    def model(self, *, full_softmax: bool = False) -> dict[str, JsonValue]:
        """Return the `model` settings; what is not named keeps its default, dropout and AdamW among them."""
        sampled: dict[str, JsonValue] = {"kind": "sampled_softmax", "negatives": self.negatives}
        return {
            "exclude_seen": False,  # every target counts, as it does for the peer
            "network": {"width": self.width, "blocks": self.blocks},
            "loss": {"kind": "full_softmax"} if full_softmax else sampled,
            "fit": {"batch_size": self.batch, "max_epochs": self.epochs, "precision": self.precision},
        }

    def __str__(self) -> str:
        return (
            f"L {self.length}, D {self.width}, {self.blocks} blocks, batch {self.batch:,}, "
            f"{self.users:,} users x {self.events:,} events, {self.items:,} items, {self.negatives:,} negatives"
        )


TRAIN = Sizes(
    users=6_000, events=165, items=10_000, length=200, width=64, blocks=2, batch=128, negatives=512
)  # fmt: skip
SHORT = replace(TRAIN, users=1_024, left_out=2)
"""A few steps, for what is slow."""
PIPED = replace(SHORT, blocks=6)
"""Blocks enough for two stages of about equal cost."""
WIRE = Sizes(users=6_000, events=33, items=2_000, length=32, width=64, blocks=2, batch=128, negatives=512, epochs=4)
"""Steps enough to see what is learned."""
LARGE = replace(WIRE, users=12_000, items=250_000, epochs=1)
"""Somebody meets 100,240 of its items: so many have a number."""
GPU = Sizes(
    users=20_480, events=201, items=10_000, length=200, width=256, blocks=4, batch=1_024, negatives=512,
    epochs=10, left_out=20, precision="bf16-mixed",
)  # fmt: skip


def quick(sizes: Sizes) -> Sizes:
    """Return sizes at which everything runs, and no number means anything."""
    return replace(
        sizes, users=sizes.batch * 6, events=33, items=500, length=40, width=16, negatives=32, epochs=1, left_out=1
    )
