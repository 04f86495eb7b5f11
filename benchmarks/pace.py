"""What clocks say: examples a second, the share of time that something was waited for. Plain numbers in, plain out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from benchmarks.clock import Clock
from benchmarks.sizes import Sizes


def pace(clock: Clock, sizes: Sizes) -> float:
    """Return the examples a second of a whole training but its first steps, ends of epochs among them."""
    measured = sizes.users * sizes.epochs - sizes.left_out * sizes.batch
    return measured / (clock.steps[-1] - clock.steps[sizes.left_out - 1])


def step_seconds(clock: Clock, sizes: Sizes) -> float:
    """Return how long the middle one of the steps took."""
    return median(end - start for start, end in pairwise(clock.steps[sizes.left_out - 1 :]))


def work(clock: Clock, sizes: Sizes) -> float:
    """Return the seconds that processors worked for the steps that count: what else the machine does hardly shows."""
    return clock.worked[-1] - clock.worked[sizes.left_out - 1]


def waiting(clock: Clock, sizes: Sizes) -> float:
    """Return the share of time in which the next batch was waited for."""
    return sum(clock.waits[sizes.left_out :]) / (clock.steps[-1] - clock.steps[sizes.left_out - 1])


def rows_a_second(clock: Clock, sizes: Sizes) -> float:
    """Return how many rows the loader pads in a second: of all epochs but the first batches."""
    steps = -(-sizes.users // sizes.batch)
    epochs = len(clock.steps) // steps
    measured = sizes.users * epochs - sizes.left_out * sizes.batch
    return measured / (clock.steps[-1] - clock.steps[sizes.left_out - 1])


def bubble(clocks: Sequence[Clock], left_out: int) -> tuple[float, float]:
    """Return the shares of a pipeline's time in which its stages, and in which the busiest of them, had nothing to do.

    A step lasts from the first moment that any stage computes to the last. Stages of unequal cost wait for each other,
    and so add to the first number; the busiest one waits only where the schedule has it wait.

    Args:
        clocks: Of each stage, in order.
        left_out: First steps that do not count.

    Returns:
        Medians over the steps.
    """
    shares = []
    for number in range(left_out, len(clocks[0].steps)):
        busy = [
            [each for each in clock.busy if clock.steps[number - 1] < each[1] <= clock.steps[number]]
            for clock in clocks
        ]
        lasted = max(each[-1][1] for each in busy) - min(each[0][0] for each in busy)
        worked = [sum(end - start for start, end in each) / lasted for each in busy]
        shares.append((1 - sum(worked) / len(worked), 1 - max(worked)))
    return median(both[0] for both in shares), median(both[1] for both in shares)


def wanted_bubble(stages: int, microbatches: int) -> float:
    """Return the share in which stages of equal cost have nothing to do: (p - 1) / (m + p - 1).

    Source:
        Huang et al., "GPipe", 2019, section 2.3; 1F1B has the same.
    """
    return (stages - 1) / (microbatches + stages - 1)
