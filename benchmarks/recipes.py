"""By which recipe a network is to be trained: ``make bench-recipes``.

Two trainings tell of all recipes. One has a constant learning rate, and ends as early stopping would end it. The other
one's rate falls to nothing over as many steps. In both, the average of the weights is kept beside them, and validated
after every epoch as they are. The night's last window judges; no training knows of it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.nights import Case, movielens, shop
from benchmarks.results import machine, record
from benchmarks.trained import Epoch, Trained, train
from models.use_case import use_case

SEEDS = (0, 1, 2)
MOST_EPOCHS, PATIENCE = 20, 4
"""Of early stopping."""
SETTINGS = {"shop": "the settings of examples/shop.yaml", "ml-100k": "every third user, the defaults of `model`"}
PLAIN = "constant, stops early"
START = "the start, not trained"
COLUMNS = (
    "Learning rate, weights",
    "Judged: median (lowest to highest)",
    "Beside early stopping",
    "Epochs",
    "Processor",
)


def recipes(case: Case, seed: int, folder: Path, start: str | None) -> Iterator[tuple[str, Epoch, Trained]]:
    """Train, and yield what each recipe ends with: its name, the epoch whose weights it takes, and its training.

    Args:
        case: The night.
        seed: Of weights, order and dropout.
        folder: Gets the weights.
        start: Folder of weights to start from.
    """
    constant = train(case, seed, folder / "constant", start, epochs=MOST_EPOCHS, patience=PATIENCE)
    yield PLAIN, constant.best("last"), constant
    yield "constant, averaged, stops early", constant.best("averaged"), constant
    falling = train(case, seed, folder / "falling", start, epochs=len(constant.until("last")))
    yield "falling, the best epoch", falling.best("last"), falling
    yield "falling, the last epoch", falling.epochs["last"][-1], falling
    yield "falling, averaged, the last epoch", falling.epochs["averaged"][-1], falling


def judged(case: Case, weights: Mapping[str, str], folder: Path) -> dict[str, float]:
    """Return the metric that decides, for folders of weights by recipe and for every baseline."""
    parts = use_case(case.settings.use_case)
    judgement = parts.evaluate(case.evaluate_job(folder, dict(weights)))
    return {name: metrics[parts.metrics.primary] for name, metrics in judgement.metrics.items()}


def table(case: Case, starts: dict[int, str], folder: Path) -> str:
    """Return the table of one night; ``starts`` has each seed's weights to start from, and then those it came to."""
    quality: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for seed in SEEDS:
        weights = {START: starts[seed]} if seed in starts else {}
        for name, taken, training in recipes(case, seed, folder / f"{case.name}-{seed}", starts.get(seed)):
            weights[name] = taken.weights
            ended = training.until(taken.kind)[-1]
            spent[name].append((ended.number, ended.seconds))
        for name, value in judged(case, weights, folder).items():
            quality[name].append(value)
        starts[seed] = weights[PLAIN]
        print(case.name, seed, {name: round(values[-1], 4) for name, values in quality.items()}, flush=True)
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for name, values in quality.items():
        beside = [value - now for value, now in zip(values, quality[PLAIN], strict=True)]
        epochs, seconds = zip(*spent[name], strict=True) if name in spent else ((), ())
        lines.append(
            f"| {name} | {_spread(values, '.4f')} | {_spread(beside, '+.4f')} "
            f"| {_spread(epochs, '.0f')} | {_spread(seconds, '.0f', ' s')} |"
        )
    return f"**{case.name}**\n\n" + "\n".join(lines) + "\n"


def _spread(values: tuple[float, ...] | list[float], form: str, unit: str = "") -> str:
    """Return median, lowest and highest; nothing of nothing."""
    if not values:
        return ""
    return f"{median(values):{form}}{unit} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    """Measure, print, and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("logs", choices=list(SETTINGS))
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of ml-100k.inter")
    options = parser.parse_args()
    if options.logs == "ml-100k" and not (options.real_data / "ml-100k.inter").exists():
        print(f"ml-100k is left out: no ml-100k.inter in {options.real_data}. Give its folder by --real-data.")
        return
    with tempfile.TemporaryDirectory(prefix="bench-recipes-") as name:
        folder = Path(name)
        cases = shop(folder) if options.logs == "shop" else movielens(folder, options.real_data)
        starts: dict[int, str] = {}
        tables = "\n".join(table(case, starts, folder) for case in cases)
    intro = (
        f"`make bench-recipes`: NDCG@10 on the night's last window, seeds {', '.join(map(str, SEEDS))}, one thread, "
        f"{SETTINGS[options.logs]}. A rate falls over as many steps as early stopping took. The next day starts from "
        "the weights that early stopping took the day before. Processor time is that of the training alone."
    )
    text = f"## Recipes of training: {options.logs}\n\n{intro}\n\n{machine()}\n\n{tables}"
    print(f"\n{text}")
    record(f"bench-recipes-{options.logs}", text)


if __name__ == "__main__":
    main()
