"""What a training learns in how much processor time: ``python -m benchmarks.learned LOG``, one process, one thread.

A night by leave-one-out of a real log is trained with the settings of its example, and judged on the users' last
events. Told are the training's clock and the judgement, as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mlflow import MlflowClient
from pydantic import JsonValue

from benchmarks.clock import Clock, clock_of
from benchmarks.lab import ALONE, ENVIRONMENT
from benchmarks.nights import EXAMPLES, Case, made_up_shop, night_of
from data_contracts.job import Config, FitResult, commit, read
from data_contracts.night import Night
from flows.settings import NightlySettings
from models.use_case import use_case
from tasks.job import run_job
from tasks.train.agent import launcher

LOGS: dict[str, tuple[str, Config]] = {
    "shop": ("", {}),
    "ml-100k": ("ml-100k.inter", {"features": {"max_length": 200}}),
    "amazon-beauty": ("amazon_beauty.txt", {}),
    "musical-instruments": ("musical_instruments_5core.jsonl", {}),
}
"""Example to its file, and what is set beside its settings; the shop's logs are made up."""
LEFT_OUT = 10
"""First steps that do not count."""


def case_of(example: str, data: Path, home: Path) -> Case:
    """Take the log into an empty house, by leave-one-out."""
    file, beside = LOGS[example]
    kind = NightlySettings.from_file(str(EXAMPLES / f"{example}.yaml"))
    uri = str(data.absolute() / file) if file else made_up_shop(home / "logs")
    source = {**kind.told().get("source", {}), "uri": uri}
    settings = kind.model_validate({"home": home, "source": source, "protocol": "leave_one_out", **beside})
    taken = home / "night.json"
    if not taken.exists():
        commit(night_of(settings), taken)
    return Case(example, settings, read(taken, Night))


def learn(case: Case, folder: Path, seed: int, seconds: float | None) -> dict[str, JsonValue]:
    """Train for so many seconds of its processor, or as long as the example says, and judge."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    run_id = client.create_run(client.create_experiment("learned", str(folder / "artifacts"))).info.run_id
    told = case.fit_job(seed, None)
    if seconds is not None:
        fit = told.config["fit"]
        assert isinstance(fit, dict)
        told = told.model_copy(update={"config": {**told.config, "fit": {**fit, "max_epochs": 1000, "patience": 1000}}})
    job = told.model_copy(
        update={
            "run_folder": str(folder / "fit"),
            "parallelism": ALONE,
            "max_seconds": seconds,
            "tracking_uri": client.tracking_uri,
            "run_id": run_id,
        }
    )
    result = run_job(
        "benchmarks.budgeted", job, folder / "fit", FitResult,
        launcher=launcher(ALONE), environment=ENVIRONMENT, on_line=lambda _: None,
    )  # fmt: skip
    judgement = use_case(case.settings.use_case).evaluate(
        case.evaluate_job(folder / "judge", {"learned": result.checkpoint})
    )
    clock, metrics = read(clock_of(job, 0), Clock), judgement.metrics["learned"]
    return {
        "pace": pace(clock, len(clock.steps) // result.epochs, case.settings.model.fit.batch_size),
        "losses": list(clock.losses),
        "processor": clock.worked[-1],
        "epochs": result.epochs,
        "hr@10": metrics["hr@10"],
        "ndcg@10": metrics["ndcg@10"],
        "markov": judgement.metrics["markov"]["ndcg@10"],
    }


def pace(clock: Clock, steps_of_epoch: int, batch: int) -> float:
    """Return examples for each second of a processor; what lies between two epochs does not count."""
    took = [
        after - before
        for step, (before, after) in enumerate(zip(clock.worked, clock.worked[1:], strict=False), start=1)
        if step >= LEFT_OUT and step % steps_of_epoch
    ]
    return batch * len(took) / sum(took)


def main() -> None:
    """Learn and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learned", description=__doc__)
    parser.add_argument("log", choices=list(LOGS))
    parser.add_argument("--real-data", type=Path, required=True, help="folder of the logs")
    parser.add_argument("--folder", type=Path, required=True, help="empty, or one where this log was taken in before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="of processor time; else as long as the example says")
    given = parser.parse_args()
    folder = given.folder.absolute()
    told = folder / f"run-{given.seed}-{given.seconds}"
    told.mkdir(parents=True)
    found = learn(case_of(given.log, given.real_data, folder / "home"), told, given.seed, given.seconds)
    (told / "learned.json").write_text(json.dumps(found), encoding="utf-8")
    print(given.log, {name: value for name, value in found.items() if name != "losses"}, flush=True)


if __name__ == "__main__":
    main()
