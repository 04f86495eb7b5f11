from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from data_contracts.night import Answer, ModelVersion, Promotion, Workspace
from data_contracts.version import ANSWER, PREVIOUS, PROMOTED, REASON, WAITING
from tasks.promote.answer import TooLateError, answer_once, question, too_late
from tests.killing import Killed, Moment, killed_at
from tests.tasks.promote.test_record import client, new_version, promoted, workspace

__all__ = ["client", "workspace"]

YES, NO = Answer(yes=True, who="ada", why="It is new."), Answer(yes=False, who="bob", why="not on a Friday")


def asked(workspace: Workspace, client: MlflowClient, folder: Path) -> Promotion:
    """Return what is decided about a new version that the gate lets through, where a person is asked."""
    return promoted(workspace, new_version(client, folder), candidate=0.2, approval=True)


def tags(client: MlflowClient, version: ModelVersion) -> dict[str, str]:
    return client.get_model_version(version.name, version.version).tags


@pytest.mark.parametrize(
    ("told", "challenger", "champion", "why"),
    [
        pytest.param({}, "2", "1", "", id="it stands"),
        pytest.param({PREVIOUS: ""}, "2", "", "", id="it stands, the first of all"),
        pytest.param({}, "3", "1", "version 3 was decided about since", id="a newer one was decided about"),
        pytest.param({}, "", "1", "no version was decided about last", id="somebody took the alias off"),
        pytest.param({}, "2", "4", "the champion is version 4 now, and was version 1 when", id="another champion"),
        pytest.param({}, "2", "", "the champion is none now, and was version 1 when", id="no champion any more"),
        pytest.param({PROMOTED: "true"}, "2", "1", "it was decided already: version 2 is promoted", id="by the gate"),
        pytest.param({PROMOTED: "true", ANSWER: "{}"}, "2", "1", "", id="answered, and broken off"),
        pytest.param({PROMOTED: "true", ANSWER: "{}"}, "2", "2", "", id="answered, and broken off later"),
        pytest.param({PROMOTED: "true", ANSWER: "{}"}, "2", "4", "the champion is version 4", id="answered long ago"),
    ],
)  # fmt: skip
def test_a_question_stands_while_nothing_changed_since(
    told: dict[str, str], challenger: str, champion: str, why: str
) -> None:
    version = {PREVIOUS: "1", PROMOTED: WAITING, REASON: "Because.", **told}
    said = too_late(ModelVersion(name="shop", version="2"), version, challenger, champion)
    assert said.startswith(why)
    assert bool(said) is bool(why)


def test_what_the_gate_lets_through_waits_where_a_person_is_asked(
    workspace: Workspace, client: MlflowClient, tmp_path: Path
) -> None:
    refused = promoted(workspace, new_version(client, tmp_path), candidate=0.01, approval=True)
    assert (refused.waiting, refused.promoted) == (False, False)
    waits = asked(workspace, client, tmp_path)
    assert (waits.waiting, waits.promoted) == (True, False)
    assert str(waits).startswith(f"waiting for approval: shop version {waits.version.version}. NDCG@10 0.2000")
    again = promoted(workspace, waits.version, candidate=0.2, approval=True)
    assert str(again).startswith(f"no new decision: shop version {waits.version.version} stays waiting for approval. ")


@pytest.mark.parametrize(("answer", "said"), [
    pytest.param(YES, "ada said yes: It is new.", id="yes"),
    pytest.param(NO, "bob said no: not on a Friday.", id="no"),
])  # fmt: skip
def test_an_answer_is_kept_on_the_version_with_who_and_why(
    workspace: Workspace, client: MlflowClient, tmp_path: Path, answer: Answer, said: str
) -> None:
    waits = asked(workspace, client, tmp_path)
    answered = answer_once(workspace, waits.version, answer)
    assert (answered.promoted, answered.waiting) == (answer.yes, False)
    assert answered.reason == f"{waits.reason} Asked whether to promote it, {said}"
    assert Answer.model_validate_json(tags(client, waits.version)[ANSWER]) == answer
    again = promoted(workspace, waits.version, candidate=0.2, approval=True)
    assert again == answered.model_copy(update={"stands": True}), "the night that is run again"
    assert answer_once(workspace, waits.version, answer) == answered


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_answer_broken_off_is_given_once(
    workspace: Workspace, client: MlflowClient, tmp_path: Path, moment: Moment
) -> None:
    waits = asked(workspace, client, tmp_path)
    with pytest.raises(Killed), killed_at("decision", moment):
        answer_once(workspace, waits.version, YES)
    answered = answer_once(workspace, waits.version, YES)
    assert answered.promoted
    assert answered.reason.count("said yes") == 1


def test_until_it_is_champion_a_version_takes_another_answer(
    workspace: Workspace, client: MlflowClient, tmp_path: Path
) -> None:
    waits = asked(workspace, client, tmp_path)
    answer_once(workspace, waits.version, YES)
    second = answer_once(workspace, waits.version, NO)
    assert (second.promoted, second.reason) == (
        False,
        f"{waits.reason} Asked whether to promote it, bob said no: not on a Friday.",
    )
    unservable = answer_once(workspace, waits.version, YES)
    assert unservable.promoted
    client.set_model_version_tag(waits.version.name, waits.version.version, PROMOTED, "false")  # as `deploy` does
    assert answer_once(workspace, waits.version, YES).promoted, "it is tried again"
    client.set_registered_model_alias(waits.version.name, "champion", waits.version.version)
    with pytest.raises(TooLateError, match=rf"bob said no: .* But version {waits.version.version} is champion already"):
        answer_once(workspace, waits.version, NO)
    assert answer_once(workspace, waits.version, YES).promoted
    client.delete_registered_model_alias(waits.version.name, "champion")


def test_another_answer_broken_off_half_written_leaves_the_version_waiting(
    workspace: Workspace, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = asked(workspace, client, tmp_path)
    answer_once(workspace, waits.version, YES)
    write = MlflowClient.set_model_version_tag

    def killed_at_the_reason(self: MlflowClient, name: str, version: str, key: str, value: str) -> None:
        if key == REASON:
            raise Killed
        write(self, name, version, key, value)

    monkeypatch.setattr(MlflowClient, "set_model_version_tag", killed_at_the_reason)
    with pytest.raises(Killed):
        answer_once(workspace, waits.version, NO)
    monkeypatch.undo()
    assert tags(client, waits.version)[PROMOTED] == WAITING
    answered = answer_once(workspace, waits.version, YES)
    assert (answered.promoted, Answer.model_validate_json(tags(client, waits.version)[ANSWER])) == (True, YES)


def test_a_no_to_what_no_server_could_take_is_kept(workspace: Workspace, client: MlflowClient, tmp_path: Path) -> None:
    waits = asked(workspace, client, tmp_path)
    answer_once(workspace, waits.version, YES)
    client.set_model_version_tag(waits.version.name, waits.version.version, PROMOTED, "false")  # as `deploy` does
    assert answer_once(workspace, waits.version, NO).reason.endswith("bob said no: not on a Friday.")


def test_a_newer_decision_takes_silence_for_a_no(workspace: Workspace, client: MlflowClient, tmp_path: Path) -> None:
    waits = asked(workspace, client, tmp_path)
    newer = promoted(workspace, new_version(client, tmp_path), candidate=0.01, approval=True)
    silence = (
        f"Asked whether to promote it, nobody answered in time: version {newer.version.version} was decided about."
    )
    assert tags(client, waits.version)[REASON] == f"{waits.reason} {silence}"
    assert tags(client, waits.version)[PROMOTED] == "false"
    before = tags(client, waits.version)
    with pytest.raises(TooLateError, match=r"The answer changed nothing. ada said yes: It is new. But version \d+ was"):
        answer_once(workspace, waits.version, YES)
    with pytest.raises(TooLateError, match=r"Nobody is asked about version \d+: version \d+ was decided about since"):
        question(workspace, waits.version)
    assert tags(client, waits.version) == before


def test_a_version_that_is_not_there_cannot_be_asked_about(workspace: Workspace, client: MlflowClient) -> None:
    with pytest.raises(LookupError, match="has no version '99'"):
        question(workspace, ModelVersion(name="shop", version="99"))
