"""Deploying to a real server, to none, and to one that refuses."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from typing import get_args

import pytest
from mlflow import MlflowClient
from tritonclient.utils import InferenceServerException

from data_contracts.bundle import bundle_digest, find_version
from data_contracts.commit_point import EVENT
from data_contracts.night import ModelVersion, Promotion, Workspace
from data_contracts.serving import VersionWanted
from tasks.deploy.client import ask_over_grpc, ask_over_rest
from tasks.deploy.config import ServingConfig
from tasks.deploy.server import (
    ModelServer,
    ServerAbsentError,
    ServerFailedError,
    ServerForeignError,
    ServerRefusedError,
)
from tasks.deploy.service import put_in_service, stray
from tests.killing import Killed, Moment, killed_at
from tests.models.serving.running import running_server
from tests.models.serving.tiny_shop import damage, item, register, register_two

pytestmark = pytest.mark.slow

Shop = tuple[str, Path]


def workspace(shop: Shop, name: str) -> Workspace:
    return Workspace(name=name, use_case="recommender", home=str(shop[1]), tracking_uri=shop[0])


def promotion(name: str, version: str, *, promoted: bool = True) -> Promotion:
    return Promotion(version=ModelVersion(name=name, version=version), promoted=promoted, reason="Because.")


def champion(shop: Shop, name: str) -> str | None:
    found = find_version(shop[0], name, "champion")
    return None if found is None else str(found.version)


@pytest.fixture
def nobody() -> ServingConfig:
    """Addresses where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return ServingConfig(rest_url=f"http://127.0.0.1:{port}", grpc_url=f"127.0.0.1:{port}")


def test_versions_go_in_and_out_of_service_on_a_real_server(shop: Shop, tmp_path: Path) -> None:
    """One server for the whole story: first, second, damaged third, and a champion moved back by hand."""
    register_two(shop[1], name="story")
    house = workspace(shop, "story")
    with running_server(shop[0], tmp_path, name="story") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        server.wait_until_ready()

        kept = put_in_service(house, promotion("story", "2", promoted=False), serving)
        assert (kept.promoted, champion(shop, "story")) == (False, "1")
        assert kept.served.startswith(f"story version 1 is in service: REST {server.rest_url}")

        for _ in range(2):
            served = put_in_service(house, promotion("story", "2"), serving)
            assert served.served.startswith("story version 2 is in service")
            assert (served.promoted, champion(shop, "story")) == (True, "2")
        by_rest = ask_over_rest(serving, "story", {"user_id": "ada", "k": 3})
        assert by_rest == ask_over_grpc(serving, "story", {"user_id": "ada", "k": 3})
        assert (by_rest.version, by_rest.values["source"], len(by_rest.values["score"])) == ("2", "history", 3)
        assert ask_over_rest(serving, "story", {"user_id": "nobody", "k": 1}).values["item_id"] == [item(1)]
        assert ask_over_grpc(serving, "story", {"history": ["x", "y"], "k": 1, "user_id": None}).values["item_id"]
        with pytest.raises(InferenceServerException, match="is not asked for colour; it takes user_id, history, k"):
            ask_over_rest(serving, "story", {"colour": "red"})

        third = register(shop[1], seed=2, name="story")
        damage(shop[0], "story", third)
        refused = put_in_service(house, promotion("story", third), serving)
        assert (refused.promoted, champion(shop, "story")) == (False, "2")
        assert "Because. But it cannot be served: " in refused.reason
        assert "DamagedError" in refused.reason
        assert refused.served.startswith("story version 2 is in service")
        tags = find_version(shop[0], "story", third).tags  # type: ignore[union-attr]
        assert (tags["nightshift.promoted"], tags["nightshift.reason"]) == ("false", refused.reason)
        again = put_in_service(house, refused.model_copy(update={"promoted": True}), serving)
        assert (again.promoted, again.reason.count("But it cannot be served")) == (False, 1)

        MlflowClient(tracking_uri=shop[0]).set_registered_model_alias("story", "champion", "1")
        put_in_service(house, promotion("story", "2"), serving)
        assert champion(shop, "story") == "1"

        with pytest.raises(ServerRefusedError, match="version 77 is not in memory"):
            ModelServer("story", shop[0], serving).switch(VersionWanted(version="77"))
        with pytest.raises(ServerAbsentError, match="serves no model 'other'"):
            ModelServer("other", shop[0], serving).state()


def test_a_server_without_a_version_or_of_another_kind_answers_in_a_sentence(shop: Shop, tmp_path: Path) -> None:
    with running_server(shop[0], tmp_path, name="nobody") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        for ask in (ask_over_rest, ask_over_grpc):
            with pytest.raises(InferenceServerException, match="it takes nothing, as no version is in service"):
                ask(serving, "nobody", {"user_id": "ada"})


def test_a_deployment_broken_off_anywhere_ends_as_if_it_was_not(shop: Shop, tmp_path: Path) -> None:
    register_two(shop[1], name="broken")
    house, client = workspace(shop, "broken"), MlflowClient(tracking_uri=shop[0])
    with running_server(shop[0], tmp_path, name="broken") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        server.wait_until_ready()
        for point, moment in product(("stage", "champion", "switch", "deployed"), get_args(Moment)):
            with pytest.raises(Killed), killed_at(point, moment):
                put_in_service(house, promotion("broken", "2"), serving)
            served = put_in_service(house, promotion("broken", "2"), serving)
            assert served.served.startswith("broken version 2 is in service"), (point, moment)
            assert (
                champion(shop, "broken") == ask_over_rest(serving, "broken", {"user_id": "ada", "k": 1}).version == "2"
            )
            client.set_registered_model_alias("broken", "champion", "1")
            client.delete_model_version_tag("broken", "2", "nightshift.deployed")
            ModelServer("broken", shop[0], serving).switch(VersionWanted(version="1"))


_meanwhile: list[Callable[[], object]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == EVENT and arguments == ("switch", "before") and _meanwhile:
        _meanwhile.pop()()


sys.addaudithook(_hear)  # for good: a hook cannot be taken away


def test_a_server_that_lost_what_it_staged_is_told_again_and_serves_it_then(shop: Shop, tmp_path: Path) -> None:
    register_two(shop[1], name="forgetful")
    third = register(shop[1], seed=2, name="forgetful")
    house = workspace(shop, "forgetful")
    with running_server(shop[0], tmp_path, name="forgetful") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        server.wait_until_ready()
        _meanwhile.append(lambda: ModelServer("forgetful", shop[0], serving).stage(VersionWanted(version=third)))
        with pytest.raises(
            ServerFailedError, match=r"version 2 .* not in service: .* 2 of bundle \w+ is not in memory"
        ):
            put_in_service(house, promotion("forgetful", "2"), serving)
        found = find_version(shop[0], "forgetful", "2")
        assert found is not None
        assert not found.tags.keys() & {"nightshift.promoted", "nightshift.reason", "nightshift.deployed"}
        served = put_in_service(house, promotion("forgetful", "2"), serving)
        assert (served.promoted, champion(shop, "forgetful")) == (True, "2")
        assert served.served.startswith("forgetful version 2 is in service")


def test_a_registry_made_anew_under_a_running_server_is_the_one_that_answers(shop: Shop, tmp_path: Path) -> None:
    """Its version 1 is another one: by number alone the old one would stay, and be called the new."""
    home, first, second = (tmp_path / name for name in ("home", "first", "second"))
    for folder, seed in ((first, 0), (second, 1)):
        folder.mkdir()
        register(folder, seed=seed, name="anew")
    MlflowClient(tracking_uri=f"sqlite:///{first}/mlflow.db").set_registered_model_alias("anew", "champion", "1")
    home.symlink_to(first)
    house = Workspace(name="anew", use_case="recommender", home=str(home), tracking_uri=f"sqlite:///{home}/mlflow.db")
    with running_server(house.tracking_uri, tmp_path, name="anew") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        server.wait_until_ready()
        old = ask_over_rest(serving, "anew", {"user_id": "ada", "k": 3})
        elsewhere = workspace(shop, "anew")
        register(shop[1], seed=3, name="anew")
        with pytest.raises(ServerForeignError, match=rf"registry sqlite:///{first}/mlflow.db, wanted {shop[0]}"):
            put_in_service(elsewhere, promotion("anew", "1"), serving)
        assert champion(shop, "anew") is None

        shutil.rmtree(first)
        home.unlink()
        home.symlink_to(second)
        kept = put_in_service(house, promotion("anew", "1", promoted=False), serving)
        assert "answers with a version 1 of bundle" in kept.served
        served = put_in_service(house, promotion("anew", "1"), serving)
        assert served.served.startswith("anew version 1 is in service")
        new = ask_over_rest(serving, "anew", {"user_id": "ada", "k": 3})
        assert (old.version, new.version) == ("1", "1")
        assert old.values["score"] != new.values["score"]
        state = ModelServer("anew", house.tracking_uri, serving).state()
        assert state.served is not None
        assert state.served.digest == bundle_digest(house.tracking_uri, "anew", "1")
        assert stray(house.tracking_uri, state) == ""


def test_a_version_whose_bundle_is_gone_does_not_come_into_service(shop: Shop, nobody: ServingConfig) -> None:
    version = register(shop[1], seed=0, name="gone")
    location = MlflowClient(tracking_uri=shop[0]).get_model_version_download_uri("gone", version)
    shutil.rmtree(location.removeprefix("file://"))
    kept = put_in_service(workspace(shop, "gone"), promotion("gone", version), nobody)
    assert (kept.promoted, champion(shop, "gone")) == (False, None)
    assert "But it cannot be served: version 1 has no bundle in MLflow any more" in kept.reason


def test_without_a_server_the_alias_moves_and_the_record_says_so(shop: Shop, nobody: ServingConfig) -> None:
    register(shop[1], seed=0, name="lonely")
    served = put_in_service(workspace(shop, "lonely"), promotion("lonely", "1"), nobody)
    assert (served.promoted, champion(shop, "lonely")) == (True, "1")
    assert f"Nothing is served: no model server answers at {nobody.rest_url}" in served.served


def test_what_was_not_promoted_moves_nothing(shop: Shop, nobody: ServingConfig) -> None:
    kept = put_in_service(workspace(shop, "shop"), promotion("shop", "2", promoted=False), nobody)
    assert (kept.promoted, champion(shop, "shop")) == (False, "1")
    assert kept.served.startswith("Nothing is served")


def test_a_version_that_is_not_registered_is_refused(shop: Shop, nobody: ServingConfig) -> None:
    with pytest.raises(LookupError, match="'shop' has no version '99'"):
        put_in_service(workspace(shop, "shop"), promotion("shop", "99"), nobody)


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[ServingConfig]:
    """A server that is none of ours."""
    server = HTTPServer(("127.0.0.1", 0), _Stranger)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield ServingConfig(rest_url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stranger_on_the_port_puts_nothing_in_service(shop: Shop, stranger: ServingConfig) -> None:
    register(shop[1], seed=0, name="strange")
    with pytest.raises(ServerFailedError, match="is no model server of ours: it answers 'hello'"):
        put_in_service(workspace(shop, "strange"), promotion("strange", "1"), stranger)
    assert champion(shop, "strange") is None
    assert "nightshift.promoted" not in find_version(shop[0], "strange", "1").tags  # type: ignore[union-attr]
    kept = put_in_service(workspace(shop, "strange"), promotion("strange", "1", promoted=False), stranger)
    assert kept.served.startswith("What is served is not known")


def test_a_server_that_stays_silent_is_not_waited_for_and_has_refused_nothing(shop: Shop) -> None:
    register(shop[1], seed=0, name="silent")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = ServingConfig(rest_url=f"http://127.0.0.1:{silent.getsockname()[1]}", answer_seconds=0.2)
        with pytest.raises(ServerFailedError, match="broke off: ReadTimeout"):
            put_in_service(workspace(shop, "silent"), promotion("silent", "1"), config)
    found = find_version(shop[0], "silent", "1")
    assert found is not None
    assert not found.tags.keys() & {"nightshift.promoted", "nightshift.reason", "nightshift.deployed"}


@pytest.mark.drill
def test_a_registry_that_the_server_cannot_reach_says_nothing_about_the_version(shop: Shop, tmp_path: Path) -> None:
    register_two(shop[1], name="remote")
    database = Path(shutil.copy(shop[1] / "mlflow.db", tmp_path))
    house = workspace((f"sqlite:///{database}", shop[1]), "remote")
    assert find_version(house.tracking_uri, "remote", "2") is not None
    with running_server(house.tracking_uri, tmp_path, name="remote") as server:
        serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
        server.wait_until_ready()
        away = database.rename(tmp_path / "away.db")  # here it stays open, the server opens it whenever it asks
        with pytest.raises(ServerFailedError, match=r"503.*version 2 cannot be had now"):
            put_in_service(house, promotion("remote", "2"), serving)
        assert str(find_version(house.tracking_uri, "remote", "champion").version) == "1"  # type: ignore[union-attr]
        found = find_version(house.tracking_uri, "remote", "2")
        assert found is not None
        assert not found.tags.keys() & {"nightshift.promoted", "nightshift.reason", "nightshift.deployed"}
        assert ask_over_rest(serving, "remote", {"user_id": "ada", "k": 1}).version == "1"
        away.replace(database)
        assert put_in_service(house, promotion("remote", "2"), serving).served.startswith("remote version 2 is in")
    assert str(find_version(house.tracking_uri, "remote", "champion").version) == "2"  # type: ignore[union-attr]


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "http://127.0.0.1", "http://127.0.0.1:8080/"])
def test_an_address_of_another_shape_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="rest_url"):
        ServingConfig(rest_url=url)
