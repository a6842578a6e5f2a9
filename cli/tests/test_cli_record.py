"""`tocsin record` and `tocsin replay`: what a person types, and what they read."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tocsin.record import record
from tocsin.replay import replay
from tocsin_rehearsal.recording import Meta, Recorded, RecordingFile, read
from tocsin_rehearsal.recording.streams import stream_info
from tocsin_runtime import Address, Connection
from tocsin_runtime.alerts import fire
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_schemas import Actor, caused_by, encode
from tocsin_schemas.events import NoteAdded
from tocsin_schemas.subjects import incident_subject
from tocsin_testkit.nats import NatsServer

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "storefront-escalated.jsonl"

app = typer.Typer()
app.command()(record)
app.command()(replay)


def tocsin(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def server(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> NatsServer:
    """A running system with one alert in it, as the commands find it."""
    monkeypatch.setenv("TOCSIN_NATS_URL", nats_server.url)
    within(nats_server, _an_alert)
    return nats_server


async def _an_alert(connection: Connection) -> None:
    await ensure_streams(connection)
    await fire(connection, {"alertname": "QueueStuck", "service": "checkout"})


def within(server: NatsServer, work: Any) -> Any:
    """`Any`: whatever the work gives back."""

    async def go() -> Any:
        async with Connection(Address(server.url), "operator") as connection:
            return await work(connection)

    return asyncio.run(go())


def alerts_in(server: NatsServer) -> int:
    async def count(connection: Connection) -> int:
        return (await stream_info(connection, "ALERTS")).last

    return int(within(server, count))


# --- record -----------------------------------------------------------------------------------------------------------


def test_a_recording_says_how_many_messages_it_holds(server: NatsServer, tmp_path: Path) -> None:
    assert tocsin("record", tmp_path / "night.jsonl.gz") == (
        0, f"1 messages in {tmp_path}/night.jsonl.gz: ALERTS 1\n", "",
    )  # fmt: skip
    assert [message.stream for message in read(tmp_path / "night.jsonl.gz")] == ["ALERTS"]


def test_a_recording_says_so_to_machines_as_well(server: NatsServer, tmp_path: Path) -> None:
    status, output, _ = tocsin("record", tmp_path / "night.jsonl", "--json", "--stream", "ALERTS", "--since", "1h")
    assert status == 0
    assert json.loads(output)["messages"] == {"ALERTS": 1}


def test_a_stretch_before_anything_happened_is_empty(server: NatsServer, tmp_path: Path) -> None:
    until = datetime.now(UTC) - timedelta(hours=1)
    assert tocsin("record", tmp_path / "night.jsonl", "--until", f"{until:%Y-%m-%dT%H:%M:%SZ}")[1].startswith("0 ")


def test_a_file_that_exists_is_replaced_only_by_force(server: NatsServer, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    path.write_text("precious")
    status, _, error = tocsin("record", path)
    assert (status, path.read_text()) == (1, "precious")
    assert "--force" in error
    assert tocsin("record", path, "--force")[0] == 0


def test_following_ends_when_it_is_told(server: NatsServer, tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    status, output, _ = tocsin("record", tmp_path / "night.jsonl", "--follow", "--until", until.isoformat())
    assert (status, output.split()[0]) == (0, "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "--since: 'yesterday' is neither"),
        (("--stream", "METRICS"), "METRICS cannot be recorded"),
        (("--incident", "abcdefghijkl"), "there is no incident 'abcdefghijkl'"),
        (("--incident", "abcdefghijkl", "--follow"), "cannot be followed"),
    ],
)
def test_what_cannot_be_recorded_is_one_clear_line(
    server: NatsServer, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    status, output, error = tocsin("record", tmp_path / "night.jsonl", *words)
    assert (status, output) == (1, "")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [("record", "night.jsonl"), ("replay", GOLDEN, "--live", "--yes")])
def test_where_nothing_runs_it_says_how_to_get_it(words: tuple[object, ...], tmp_path: Path) -> None:
    status, _, error = tocsin(*words, "--data", tmp_path)
    assert status == 1
    assert "tocsin up" in error


@pytest.mark.parametrize("words", [("record", "night.jsonl"), ("replay", GOLDEN, "--live", "--yes")])
def test_a_nats_that_does_not_answer_is_one_clear_line(
    words: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_NATS_URL", "nats://127.0.0.1:9")
    status, _, error = tocsin(*words)
    assert (status, error) == (1, "NATS does not answer\n")


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_dry_run_prints_what_would_be_sent() -> None:
    status, output, _ = tocsin("replay", GOLDEN, "--dry-run", "--live", "--speed", "max")
    assert status == 0
    assert output.splitlines()[0] == "+0.0 s  AlertFired  CheckoutErrors"
    assert output.splitlines()[-1] == "1 alerts and 4 commands would be sent"
    with_playbook = tocsin("replay", GOLDEN, "--dry-run")[1]
    assert with_playbook.splitlines()[0] == "+0.0 s  PlaybookPublished  storefront"


def test_a_running_system_is_asked_for_with_the_number_of_alerts(server: NatsServer) -> None:
    status, output, error = tocsin("replay", GOLDEN, "--live")
    assert (status, output, alerts_in(server)) == (1, "", 1)
    assert f"this posts 1 alerts and 4 commands to {server.url}" in error
    assert "--yes" in error


def test_with_a_yes_alerts_are_posted_and_playbooks_are_not(server: NatsServer, tmp_path: Path) -> None:
    tocsin("record", tmp_path / "night.jsonl")
    status, output, _ = tocsin("replay", tmp_path / "night.jsonl", "--live", "--yes", "--speed", "max")
    assert (status, output, alerts_in(server)) == (0, "1 alerts, 0 commands, 0 playbooks sent\n", 2)


def test_with_the_same_ids_what_is_known_is_not_taken_again(server: NatsServer, tmp_path: Path) -> None:
    tocsin("record", tmp_path / "night.jsonl")
    status, output, _ = tocsin("replay", tmp_path / "night.jsonl", "--live", "--yes", "--same-ids", "--json")
    assert (status, alerts_in(server)) == (0, 1)
    assert json.loads(output)["duplicates"] == 1
    assert "1 were known already" in tocsin("replay", tmp_path / "night.jsonl", "--live", "--yes", "--same-ids")[1]


def write(path: Path, *messages: Recorded) -> Path:
    with RecordingFile(path, Meta(version="0.1.0", recorded_at=datetime.now(UTC))) as file:
        for message in messages:
            file.write(message)
    return path


def a_note() -> Recorded:
    at = datetime.now(UTC)
    headers, body = encode(
        caused_by("c", 0, "escalator", "inc1", at, NoteAdded(text="t", by=Actor.person("ada", "cli")))
    )
    subject = incident_subject("inc1", NoteAdded)
    return Recorded("INCIDENTS", 1, at.isoformat().replace("+00:00", "Z"), subject, tuple(headers.items()), body)


def test_a_recording_without_alerts_or_playbooks_cannot_be_rehearsed(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl")
    assert "nothing to replay" in tocsin("replay", empty, "--sandbox")[2]
    assert "name one with --playbook" in tocsin("replay", write(tmp_path / "note.jsonl", a_note()), "--sandbox")[2]
    assert "needs a playbook from its beginning" in tocsin("replay", empty)[2]
    assert tocsin("replay", empty, "--dry-run")[1] == "0 alerts and 0 commands would be sent\n"


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.jsonl", Recorded("ALERTS", 1, "2026-03-01T12:00:00Z", "tocsin.alerts.1", (), b"?"))
    assert "left out: ALERTS 1: cannot be read" in tocsin("replay", path, "--dry-run")[2]


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("", (), "night.jsonl:1: file: is empty"),
        ("{}\n", (), "night.jsonl:1: tocsin_recording: is missing"),
        (GOLDEN.read_text() + "{}\n", (), ":37: stream: Field required"),
        (GOLDEN.read_text()[:-9], (), ":36: line: the file ends within this line"),
        (GOLDEN.read_text(), ("--live", "--speed", "fast"), "'fast' is no speed"),
    ],
)
def test_what_cannot_be_replayed_is_one_clear_line(
    tmp_path: Path, content: str, words: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "night.jsonl"
    path.write_text(content)
    status, output, error = tocsin("replay", path, "--dry-run", *words)
    assert (status, output) == (1, "")
    assert said in error
    assert error.count("\n") == 1


def test_a_cut_recording_is_replayed_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    path.write_text(GOLDEN.read_text()[:-9])
    assert tocsin("replay", path, "--dry-run", "--despite-cut")[0] == 0


# --- virtual time -----------------------------------------------------------------------------------------------------


def test_a_recorded_incident_is_decided_in_virtual_time_as_it_was(tmp_path: Path) -> None:
    assert tocsin("replay", GOLDEN) == (
        0, "1 alerts and 4 commands in 30s of virtual time\n27 events were decided as recorded\n", "",
    )  # fmt: skip
    compressed = tmp_path / "night.jsonl.gz"
    compressed.write_bytes(gzip.compress(GOLDEN.read_bytes()))
    assert tocsin("replay", compressed) == tocsin("replay", GOLDEN)
    assert json.loads(tocsin("replay", compressed, "--json")[1]) == {
        "replayed": {"alerts": 1, "commands": 4, "not_sent": []}, "differences": [],
    }  # fmt: skip


def test_another_playbook_in_virtual_time_decides_otherwise_and_each_difference_is_named(tmp_path: Path) -> None:
    changed = tmp_path / "playbook.yaml"
    changed.write_text(the_playbook().replace('["person:ada", ', '["person:grace", '))
    status, output, error = tocsin("replay", GOLDEN, "--playbook", changed)
    assert (status, error) == (1, "")
    assert "escalator ResponderPaged: target was person:ada, is person:grace" in output
    assert "channel:email:" not in output  # what is the same is not told
    assert output.splitlines()[-1].endswith("differences in 27 recorded events")
    document = json.loads(tocsin("replay", GOLDEN, "--playbook", changed, "--json")[1])
    assert {"field": "target", "recorded": "person:ada", "decided": "person:grace"}.items() <= (
        document["differences"][0].items()
    )


def test_what_is_told_of_an_address_is_no_pictogram(tmp_path: Path) -> None:
    changed = tmp_path / "playbook.yaml"
    changed.write_text(the_playbook().replace("email:oncall@", "email:other@"))
    assert "channel:email:other@storefront.example" in tocsin("replay", GOLDEN, "--playbook", changed)[1]


def test_incidents_that_began_before_the_recording_are_counted_and_not_compared(tmp_path: Path) -> None:
    later = write(tmp_path / "later.jsonl", *(m for m in read(GOLDEN) if not m.subject.endswith(".opened")))
    status, output, error = tocsin("replay", later)
    assert "not compared: 1 incidents that began before the recording" in error
    assert "none of the incidents that were opened here" in error
    assert (status, output.splitlines()[-1]) == (0, "0 events were decided as recorded")


def the_playbook() -> str:
    (text,) = [
        message.decode().data.text  # type: ignore[attr-defined]  # the one playbook
        for message in read(GOLDEN)
        if message.stream == "PLAYBOOKS"
    ]
    return str(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sandbox", "--live"), "choose one of --sandbox and --live"),
        (("--speed", "60x"), "--speed means something only in a sandbox (--sandbox) or in the running Tocsin (--live)"),
        (("--yes",), "--yes means something only in the running Tocsin (--live); this is in virtual time"),
        (("--same-ids", "--sandbox"), "this is in a sandbox (--sandbox)"),
        (("--with-playbooks",), "--with-playbooks means something only in the running Tocsin"),
        (("--playbook", GOLDEN, "--live"), "--playbook means something only in virtual time or in a sandbox"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: tuple[object, ...], said: str) -> None:
    status, output, error = tocsin("replay", GOLDEN, *words)
    assert (status, output) == (1, "")
    assert said in error


def test_a_service_that_breaks_in_virtual_time_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin_escalator.audit import Audit

    async def breaks(_: Audit) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Audit, "run", breaks)
    status, _, error = tocsin("replay", GOLDEN)
    assert status == 1
    assert "escalator-1 has died: ZeroDivisionError('a bug')" in error


# --- the sandbox ------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_a_recorded_incident_is_decided_in_a_sandbox_as_it_was() -> None:
    status, output, error = tocsin("replay", GOLDEN, "--sandbox", "--json", "--tolerance", 10)
    document = json.loads(output)
    assert (document["differences"], status) == ([], 0)
    assert "[slack]" in error
    assert (document["replayed"]["alerts"], document["replayed"]["commands"]) == (1, 4)


@pytest.mark.timeout(120)
def test_another_playbook_decides_otherwise_and_the_differences_are_named(tmp_path: Path) -> None:
    changed = tmp_path / "playbook.yaml"
    changed.write_text(
        the_playbook().replace('{after: 0s, notify: ["person:ada", ', '{after: 0s, notify: ["person:grace", ')
    )
    status, output, error = tocsin("replay", GOLDEN, "--sandbox", "--speed", "max", "--playbook", changed)
    assert status == 1
    assert "times are not compared" in error
    assert "escalator ResponderPaged: target was person:ada, is person:grace" in output
    assert "differences in " in output


def test_a_playbook_with_errors_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: tocsin/v1\n")
    status, _, error = tocsin("replay", GOLDEN, "--sandbox", "--playbook", tmp_path / "bad.yaml")
    assert status == 1
    assert f"{tmp_path}/bad.yaml:1:" in error


# --- who may ----------------------------------------------------------------------------------------------------------


def test_who_may_not_read_what_is_recorded_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_NATS_URL", "nats://127.0.0.1:9")
    monkeypatch.setenv("TOCSIN_NATS_USER", "commander")
    line = "the identity commander may not record: that asks for an admin\n"
    assert tocsin("record", tmp_path / "all.jsonl") == (1, "", line)
