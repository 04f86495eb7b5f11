from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.command import read
from flows.settings import NightlySettings
from tests.patience import LONG_SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME", "NIGHTSHIFT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_settings_file_that_ships_is_accepted(file: Path) -> None:
    _, settings = read(["--settings", str(file), "--source.uri", "logs/*", "--name", file.stem])
    assert settings.source.uri == "logs/*"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_TRAIN__REPLAY", "0.25")
    monkeypatch.setenv("NIGHTSHIFT_GATE__MAX_LOSS", "0.05")
    through, settings = read(["--gate.max_loss", "0.1", "--through", "2026-01-07"])
    assert (through, settings.name) == (date(2026, 1, 7), "shop")
    assert (settings.train.replay, settings.gate.max_loss) == (0.25, 0.1)


def test_one_uri_or_a_list_comes_from_the_file_a_variable_or_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nsource: {uri: [a, b]}\n")
    assert read(["--settings", str(file)])[1].source.uri == ("a", "b")
    for uri in ('["c", "d,e"]', "2024", "[ab]*.csv", "a,b.csv"):
        wanted = ("c", "d,e") if uri.startswith('["') else uri
        assert read(["--settings", str(file), "--source.uri", uri])[1].source.uri == wanted
        monkeypatch.setenv("NIGHTSHIFT_SOURCE__URI", uri)
        assert read(["--settings", str(file)])[1].source.uri == wanted
        monkeypatch.delenv("NIGHTSHIFT_SOURCE__URI")


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"missing\.yaml"):
        read(["--settings", str(tmp_path / "missing.yaml")])


def test_own_logs_need_a_name(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("source: {format: jsonl, uri: logs}\n")
    with pytest.raises(SystemExit, match="name: Field required"):
        read(["--settings", str(file)])


def test_sequences_without_times_have_no_nights() -> None:
    with pytest.raises(ValidationError, match="protocol: leave_one_out"):
        NightlySettings(name="beauty", source={"format": "sequences", "uri": "beauty.txt"})  # type: ignore[arg-type]


def test_help_explains_every_setting() -> None:
    command = [sys.executable, "-m", "flows.nightly", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONG_SECONDS).stdout
    for name in (
        "--settings FILE",
        "--through",
        "--source.uri",
        "--train.replay",
        "--gate.max_loss",
        "--gate.subgroups.bounds",
        "--cluster.address",
    ):
        assert name in answer


def test_own_logs_do_not_mix_with_the_shops() -> None:
    with pytest.raises(SystemExit, match="own logs need settings of their own"):
        read(["--source.uri", "logs/*"])


def test_a_number_is_one_wherever_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_TRAIN__PARALLELISM__SERVER__REPLICAS", "2")
    options = ["--train.parallelism.rows", "served", "--train.parallelism.server.shards", "3"]
    server = read(options)[1].train.parallelism.server
    assert (server.replicas, server.shards) == (2, 3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("name: [", "while parsing", id="no YAML"),
        pytest.param("- name\n- own", "holds a list, wanted lines of `name: value`", id="a list"),
        pytest.param("own", "holds a str, wanted lines of `name: value`", id="a text"),
        pytest.param("1: own", "holds names that are no text", id="numbers for names"),
        pytest.param("", r"^settings:\n  - name: Field required\n  - source: Field required$", id="nothing"),
        pytest.param(
            "name: own\nsource: {uri: x, tyop: 1, formt: csv}",
            r"source.tyop: there is no such setting\.\n  - source.formt: .* Did you mean 'format'\?",
            id="unknown settings",
        ),
        pytest.param(
            "nmae: own\nsource: {uri: x}", "nmae: there is no such .* Did you mean 'name'", id="a name misspelt"
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nvalidation: {allowed: {event: [view]}}\nmodel: {target_events: [buy]}",
            r"target_events \['buy'\] can never come",
            id="targets that are refused",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nvalidation: {kinds: [view]}",
            r"validation.kinds: there is no such setting. It is validation.allowed: {event: \[...\]} now.",
            id="a name of before",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nhome: s3://bucket/home", "no folder of this machine", id="home elsewhere"
        ),
        pytest.param("name: own\nsource: {}", r"source.uri: no logs are named", id="no logs"),
        pytest.param(
            "name: own\nsource: {uri: x}\ncluster: {memory_limit: lots}",
            "cluster.memory_limit: .*; seen 'lots'",
            id="a memory that is no size",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nmlflow_url: http://localhost:4200\nserving: {grpc_url: '127.0.0.1:8080'}",
            r"mlflow_url and prefect_url are the same address, 127.0.0.1:4200: .*\n"
            r"  - serving.grpc_url and serving.rest_url are the same",
            id="one address for two servers, twice",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\ngate: {metric: f1, subgroups: {bounds: {mrr: 0, auc: 0, coverage@10: 1}}}",
            r"gate.metric 'f1' is none of hr@5, .*, mrr.\n"
            r"  - gate.subgroups.bounds names 'auc', 'coverage@10', and subgroups are judged by hr@5, .*, mrr.",
            id="metrics that decide nothing",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\ngate: {subgroups: {min_units: 50}}",
            "gate.subgroups.bounds: Field required",
            id="subgroups without a bound",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nprefect_url: http://127.0.0.1:70000", "has no port", id="no such port"
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nvalidation: {stop_on_volume: true}",
            r"validation.stop_on_volume: there is no such setting. It is validation.stop_on: \[volume, ...\] now.",
            id="a setting that is another now",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nvalidation:\n  labels_table: {drift: {label: 0.1}}\n"
            "  table: {distinct: {usr: {at_least: 1}}, quantiles: {event: {0.5: {at_least: 1}}}, drift: {value: 0.1}}",
            r"validation.table.distinct names 'usr' \(no column\), and is of text and whole numbers: in 'events' "
            r"user_id, item_id, event.\n"
            r"  - validation.table.quantiles names 'event' \(string\), and is of numbers: in 'events' value.\n"
            r"  - validation.table.drift names 'value' \(float\), .*\n"
            r"  - validation.labels_table is set, and no labels come from a source of their own: drop it.",
            id="rules about columns that there are not, all at once",
        ),
        pytest.param(
            "name: own\nuse_case: vision\nsource: {uri: x}\nvalidation: {table: {distinct: {image: {at_least: 9}}}}",
            r"validation.table.distinct names 'image' \(binary\)",
            id="rules about payloads",
        ),
        pytest.param(
            "name: own\nsource: {uri: x}\nvalidation: {table: {distinct: {event: {at_last: 9}}}}",
            r"validation.table.distinct.event.at_last: there is no such setting.",
            id="a bound misspelt",
        ),
    ],
)
def test_what_is_wrong_with_settings_is_said_in_one_message(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(SystemExit, match=problem) as ended:
        read(["--settings", str(file)])
    assert isinstance(ended.value.code, str), "a sentence, and exit code 1"


@pytest.mark.parametrize(
    "name", ["", "a/b", "../../../x", "Own", "-own", "own logs", "a" * 64, "own\n", "services", "prefect", "artifacts"]
)
def test_a_name_that_is_no_folder_experiment_or_model_is_refused(name: str) -> None:
    with pytest.raises(SystemExit, match=r"- name: .* (is no name|is a folder of the home already)"):
        read([f"--name={name}", "--source.uri", "logs/*"])


def test_rules_about_all_rows_come_from_a_file_a_variable_or_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {0.5: {"at_least": 1, "at_most": 50}}
    file = tmp_path / "own.yaml"
    table = "{quantiles: {value: {0.5: {at_least: 1, at_most: 50}}}, drift: {event: 0.2}}"
    file.write_text(f"name: own\nsource: {{uri: x}}\nvalidation: {{table: {table}}}\n")
    monkeypatch.setenv("NIGHTSHIFT_VALIDATION__STOP_ON", '["volume", "drift"]')
    _, settings = read(["--settings", str(file), "--validation.table.distinct", '{"item_id": {"at_least": 100}}'])
    again = NightlySettings.model_validate_json(settings.model_dump_json())
    for validation in (settings.validation, again.validation):
        assert validation.stop_on == ("volume", "drift")
        assert validation.table.drift == {"event": 0.2}
        assert validation.table.model_dump()["quantiles"] == {"value": wanted}
        assert validation.table.distinct["item_id"].at_least == 100


@pytest.mark.parametrize("size", ["2GiB", "512MB", "1.5 GiB", "auto", "0", "0.25", "2147483648"])
def test_every_way_to_say_how_much_memory_is_taken(size: str) -> None:
    _, settings = read(["--name", "own", "--source.uri", "logs/*", "--cluster.memory_limit", size])
    assert settings.cluster.memory_limit == size


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--source.urri", "x"], "--source.urri: there is no such option. Did you mean '--so", id="option"),
        pytest.param(["--settings"], "argument --settings: expected one argument", id="file"),
        pytest.param(["--through", "yesterday"], "argument --through: invalid fromisoformat value", id="day"),
    ],
)
def test_an_option_that_is_wrong_is_said_like_a_setting(arguments: list[str], problem: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(problem)):
        read(arguments)


def test_a_variable_that_is_no_setting_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_TARIN__REPLAY", "0.25")
    with pytest.raises(SystemExit, match=r"NIGHTSHIFT_TARIN__REPLAY is set, .* Did you mean NIGHTSHIFT_TRAIN"):
        read([])


@pytest.mark.parametrize(
    ("home", "odd"),
    [("per%20cent", "'%'"), ("dou::ble", "'::'"), ("ta\tb?", r"'\\t', '\?'"), ("back\\slash", r"'\\\\'")],
)
def test_a_home_whose_name_leads_somewhere_else_is_refused_with_what_is_meant(home: str, odd: str) -> None:
    with pytest.raises(SystemExit, match=rf"home .* holds {odd}, which"):
        read(["--home", f"/tmp/{home}"])


@pytest.mark.parametrize("home", ["br [x]", "env=prod", "sp ace", "ha#sh", "st*r", "{a,b}", "ümlaut", "co:lon"])
def test_other_homes_are_taken(home: str) -> None:
    assert read(["--home", f"/tmp/{home}"])[1].home == Path(f"/tmp/{home}")
