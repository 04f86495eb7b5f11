"""How well a GPU is used: ``python -m benchmarks.gpu``, started by ``make bench-gpu``; it needs a CUDA device.

The network is trained as in a night (`models.fit`), in bf16 and in fp32. Model FLOP utilisation is what the network
must multiply, over what the device could have multiplied in that time::

    FLOPs of a step = tokens x (6 x parameters + 12 x blocks x D x L) + 6 x targets x negatives x D

Parameters are those that multiply: the item table is looked up, and its part in the loss is the last term. Each
multiplication counts twice (times and plus) on the way there and four times back; attention counts in full though half
of it is masked; nothing that is computed twice counts twice.

Source: Chowdhery et al., "PaLM", 2022, appendix B.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.clock import Clock
from benchmarks.lab import Lab
from benchmarks.pace import pace, step_seconds, waiting
from benchmarks.results import Row, record, section
from benchmarks.sizes import GPU, Sizes, quick
from models.recommender.config import NetworkConfig
from models.recommender.network import SequenceNetwork

ROUNDS = 3
PEAKS = {
    "H200": (989.0, 67.0),
    "H100": (989.0, 67.0),
    "A100": (312.0, 19.5),
    "L40S": (362.0, 91.6),
    "L4": (121.0, 30.3),
}
"""Dense TFLOP/s in bf16 and in fp32 without tensor cores, by the makers' data sheets (SXM boards)."""


def step_flops(sizes: Sizes) -> float:
    """Return the floating-point operations of a step, by the formula above."""
    with torch.device("meta"):
        network = SequenceNetwork(sizes.items, sizes.length, NetworkConfig(width=sizes.width, blocks=sizes.blocks))
    parameters = sum(each.numel() for block in network.blocks for each in block.parameters())
    tokens = sizes.batch * min(sizes.length, sizes.events - 1)
    attention = 12 * sizes.blocks * sizes.width * min(sizes.length, sizes.events - 1)
    return float(tokens * (6 * parameters + attention + 6 * sizes.negatives * sizes.width))


def rows_of(clocks: dict[str, list[Clock]], sizes: Sizes, peaks: dict[str, float]) -> list[Row]:
    """Turn the clocks of all rounds, by precision, into the table."""
    rows: list[Row] = []
    for precision, found in clocks.items():
        middle = [step_seconds(clock, sizes) for clock in found]
        used = [step_flops(sizes) / seconds / (peaks[precision] * 1e12) for seconds in middle]
        rows += [
            Row(f"`{precision}`, whole epochs", [pace(clock, sizes) for clock in found], "samples/s"),
            Row(f"`{precision}`, the middle step", [sizes.batch / seconds for seconds in middle], "samples/s"),
            Row(f"of {peaks[precision]:g} TFLOP/s it uses", used, "%"),
            Row("time waiting for data", [waiting(clock, sizes) for clock in found], "%"),
        ]
    paces = {name: [pace(clock, sizes) for clock in found] for name, found in clocks.items()}
    ratios = [one / other for one, other in zip(*paces.values(), strict=True)]
    return [*rows, Row(f"{' over '.join(f'`{name}`' for name in paces)}", ratios, "x")]


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--peaks", type=float, nargs=2, metavar=("BF16", "FP32"), help="the device's dense TFLOP/s")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing is kept")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(f"make bench-gpu needs a CUDA device, and torch {torch.__version__} sees none. On a machine with one, "
                 "install torch 2.13.0 built for CUDA and start again; make bench-train is for CPUs.")  # fmt: skip
    device = torch.cuda.get_device_name()
    found = given.peaks or next((PEAKS[name] for name in PEAKS if re.search(rf"\b{name}\b", device)), None)
    if found is None:
        sys.exit(f"the peak of {device!r} is not known here: give --peaks BF16 FP32, in TFLOP/s, from its data sheet.")
    sizes = quick(GPU) if given.quick else GPU
    precisions = ("bf16-mixed", "32-true")
    clocks: dict[str, list[Clock]] = {precision: [] for precision in precisions}
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as folder:
        lab = Lab(Path(folder))
        for number in range(1 if given.quick else ROUNDS):
            for precision in precisions[:: -1 if number % 2 else 1]:
                clocks[precision] += lab.fit(replace(sizes, precision=precision))
                print(
                    f"round {number + 1}, {precision}: {pace(clocks[precision][-1], sizes):,.0f} samples/s", flush=True
                )
    intro = f"`make bench-gpu` on {device}, CUDA {torch.version.cuda}: {sizes}, {sizes.epochs} epochs."
    remarks = [f"The first {sizes.left_out} steps do not count. The formula is in benchmarks/gpu.py."]
    text = section("GPU", intro, rows_of(clocks, sizes, dict(zip(precisions, found, strict=True))), remarks)
    print(f"\n{text}")
    if not given.quick:
        record("bench-gpu", text)


if __name__ == "__main__":
    main()
