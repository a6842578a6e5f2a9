"""`tocsin silence`, and overrides and swaps of `tocsin oncall`: on a running escalator and recorder, one line each."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tocsin.main import app
from tocsin.oncall_swap import Turns, swapped
from tocsin.operator import ProblemError
from tocsin_escalator.app import build as build_escalator
from tocsin_escalator.settings import EscalatorSettings
from tocsin_playbook import Turn, load
from tocsin_recorder.app import build as build_recorder
from tocsin_recorder.settings import RecorderSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_testkit.loops import LoopThread
from tocsin_testkit.nats import NatsServer

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}]
communicate: {channels: [{name: term, console: {}}]}
escalate: [{severities: [P0], levels: [{after: 0s, notify: ["schedule:primary"]}]}]
oncall:
  people:
    - {name: ada, access: admin, contacts: [{channel: term, address: ada}]}
    - {name: bob, contacts: [{channel: term, address: bob}]}
    - {name: eve, contacts: [{channel: term, address: eve}]}
    - {name: mallory, access: viewer, contacts: [{channel: term, address: mallory}]}
  schedules:
    - {name: primary, layers: [{people: [ada, bob, eve], turn: daily, handover: {at: "09:00"}, starts: 2026-01-05}]}
    - {name: alone, layers: [{people: [eve], starts: 2026-01-05}]}
"""
TURNS = Turns(load(PLAYBOOK).playbook.schedule("primary"), ())
MONDAY = datetime(2026, 1, 26, 9, tzinfo=UTC)
DAY = timedelta(days=1)


class Running:
    """A Tocsin with these parts of it, and what a person types."""

    def __init__(self, nats: NatsServer, loop: LoopThread, folder: Path) -> None:
        self._nats, self._loop, self._folder = nats, loop, folder
        self._hosts: list[Host[Any]] = []

    def start(self) -> None:
        self._loop.run(self._start())

    def stop(self, *services: str) -> None:
        for host in [each for each in self._hosts if not services or each.service in services]:
            self._hosts.remove(host)
            self._loop.run(host.stop())

    async def _start(self) -> None:
        async with Connection(Address(self._nats.url), "test") as connection:
            await ensure_streams(connection)
            await push(connection, PLAYBOOK, source="shop.yaml")
        common = {"nats_url": self._nats.url, "nats_monitor_url": self._nats.monitor_url, "http_port": 0}
        url = f"sqlite+aiosqlite:///{self._folder}/timeline.db"
        recorder = Host(RecorderSettings.model_validate({**common, "database_url": url}), build_recorder)
        escalator = Host(EscalatorSettings.model_validate(common), build_escalator)
        for host in (recorder, escalator):
            await host.start()
            self._hosts.append(host)
        self.console_url = recorder.ops.url

    def tocsin(self, *words: object, person: str = "ada") -> tuple[int, str, str]:
        environment = {
            "COLUMNS": "200",
            "TOCSIN_NATS_URL": self._nats.url,
            "TOCSIN_CONSOLE_URL": self.console_url,
            "TOCSIN_USER": person,
        }
        result = CliRunner().invoke(app, list(map(str, words)), env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    def done(self, *words: object) -> str:
        """What it printed; it must not have complained."""
        status, output, error = self.tocsin(*words)
        assert (status, error) == (0, "")
        return output

    def refused(self, *words: object, person: str = "ada") -> str:
        """The one line that it complained with."""
        status, output, error = self.tocsin(*words, person=person)
        assert (status, output) == (1, "")
        assert error.count("\n") == 1, error
        return error.strip()


@pytest.fixture
def running(nats_server: NatsServer, tmp_path: Path) -> Iterator[Running]:
    loop = LoopThread("services")
    loop.start()
    made = Running(nats_server, loop, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        loop.stop()


def named(text: str, kind: str) -> str:
    found = re.search(rf"\({kind} ([0-9a-f]+)\)", text)
    assert found is not None, text
    return found[1]


# --- silences --------------------------------------------------------------------------------------------------------


def test_a_silence_is_set_listed_and_lifted(running: Running) -> None:
    said = running.done("silence", "add", 'service="shop"', "--for", "2h", "--because", "an upgrade")
    name = named(said, "silence")
    assert said.startswith('ada silenced service="shop" from ')
    assert said.endswith(f": an upgrade (silence {name})\n")
    listed = json.loads(running.done("silence", "list", "--json"))["silences"]
    assert [(each["id"], each["state"], each["match"], each["by"]) for each in listed] == [
        (name, "active", ['service="shop"'], "ada")
    ]
    lasts = datetime.fromisoformat(listed[0]["ends_at"]) - datetime.fromisoformat(listed[0]["begins_at"])
    assert lasts <= timedelta(hours=2)
    assert name in running.done("silence", "list")
    assert running.done("silence", "lift", name, "--because", "done") == f"ada lifted the silence {name}: done\n"
    assert running.done("silence", "list") == "no silences in force or to come\n"
    assert "lifted" in running.done("silence", "list", "--all")
    assert "there is no silence" in running.refused("silence", "lift", name)


def test_a_silence_can_begin_later(running: Running) -> None:
    begins, ends = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 3))
    add = ("silence", "add", 'service="shop"', 'zone=~"eu.*"', "--because", "[red]a move[/red]")
    running.done(*add, "--from", begins.isoformat(), "--until", ends.isoformat())
    listed = running.done("silence", "list")
    assert "pending" in listed
    assert "move[/red]" in listed, "it is text, and no markup"
    running.done(*add, "--from", begins.isoformat(), "--for", "1h")
    last = json.loads(running.done("silence", "list", "--json"))["silences"][0]
    assert datetime.fromisoformat(last["ends_at"]) == begins + timedelta(hours=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (('service!="shop"', "--for", "1h"), "the silence could match every alert"),
        (("shop", "--for", "1h"), "match: shop: this is no matcher; expected a matcher like"),
        (('service="shop"',), "give one of --until and --for"),
        (('service="shop"', "--for", "1h", "--until", "2030-01-01T00:00Z"), "give one of --until and --for"),
        (('service="shop"', "--for", "ages"), "--for: "),
        (('service="shop"', "--until", "tomorrow"), "--until: "),
        (('service="shop"', "--from", "2026-03-29T09:00", "--for", "1h"), "--from: "),
        (('service="shop"', "--until", "2026-01-01T00:00Z"), "until: 2026-01-01T00:00:00Z has passed"),
        (("", "--for", "1h"), "match.0: "),
    ],
)
def test_a_silence_that_cannot_be_is_one_line_that_says_why(
    running: Running, words: tuple[str, ...], said: str
) -> None:
    assert said in running.refused("silence", "add", *words, "--because", "an upgrade")


def test_what_nobody_carries_out_is_said_and_the_list_says_where_it_asked(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.stop("escalator")
    monkeypatch.setattr("tocsin.operator._ANSWER_WITHIN", 0.3)
    said = running.refused("silence", "add", 'service="shop"', "--for", "1h", "--because", "an upgrade")
    assert said == "nobody carried out Silence within 0.3 s; it stays queued"
    running.stop("recorder")
    assert running.console_url in running.refused("silence", "list")


# --- overrides -------------------------------------------------------------------------------------------------------


def now_on_call(running: Running, at: datetime | None = None, schedule: str = "primary") -> str:
    when = ("--at", at.isoformat()) if at is not None else ()
    document = json.loads(running.done("oncall", "show", "--schedule", schedule, "--json", *when))
    return str(document["schedules"][0]["now"]["person"])


def test_an_override_is_shown_until_it_is_lifted(running: Running) -> None:
    said = running.done("oncall", "override", "alone", "bob", "--for", "2h", "--because", "eve is at the dentist")
    name = named(said, "override")
    assert said.startswith("ada put bob on call for alone from ")
    assert now_on_call(running, schedule="alone") == "bob"
    shown = running.done("oncall", "show", "--schedule", "alone")
    assert f"  override {name}: bob, " in shown
    assert ", by ada: eve is at the dentist\n" in shown
    (listed,) = json.loads(running.done("oncall", "show", "--schedule", "alone", "--json"))["schedules"][0]["overrides"]
    assert (listed["override"], listed["person"], listed["by"]) == (name, "bob", "ada")
    assert running.done("oncall", "lift", name) == f"ada lifted the override {name}\n"
    assert now_on_call(running, schedule="alone") == "eve"
    assert "there is no override" in running.refused("oncall", "lift", name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tertiary", "bob", "--for", "1h"), "no playbook in force has a schedule tertiary"),
        (("primary", "zoe", "--for", "1h"), "has a person zoe"),
        (("primary", "bob"), "give one of --until and --for"),
    ],
)
def test_an_override_that_cannot_be_is_one_line_that_says_why(
    running: Running, words: tuple[str, ...], said: str
) -> None:
    assert said in running.refused("oncall", "override", *words)


def test_who_may_not_change_the_schedule_is_told_so(running: Running) -> None:
    refused = running.refused("oncall", "override", "primary", "bob", "--for", "1h", person="mallory")
    assert refused == "mallory is a viewer; OverrideOnCall asks for a responder"


# --- swaps -----------------------------------------------------------------------------------------------------------


def test_two_people_swap_the_turn_at_a_time_and_the_next_one_of_the_other(running: Running) -> None:
    at = TURNS.next_of("ada", datetime.now(UTC) + DAY)
    assert at is not None
    theirs = TURNS.next_of("bob", at.until)
    assert theirs is not None
    said = running.done("oncall", "swap", "primary", "ada", "bob", "--at", (at.since + DAY / 2).isoformat())
    assert [line.split(" on call")[0] for line in said.splitlines()] == ["ada put bob", "ada put ada"]
    assert "ada and bob have swapped" in said
    assert [now_on_call(running, each.since) for each in (at, theirs)] == ["bob", "ada"]
    assert now_on_call(running, theirs.until) == "eve"


def test_a_swap_of_which_one_half_cannot_be_leaves_nothing_behind(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Turn("ada", datetime.now(UTC) + 400 * DAY, datetime.now(UTC) + 401 * DAY)
    near = Turn("bob", datetime.now(UTC) + DAY, datetime.now(UTC) + 2 * DAY)
    monkeypatch.setattr("tocsin.oncall.swapped", lambda *_: (near, far))
    assert running.refused("oncall", "swap", "primary", "ada", "bob").startswith("nothing is swapped: until: ")
    document = json.loads(running.done("oncall", "show", "--schedule", "primary", "--json"))
    assert document["schedules"][0]["overrides"] == []


def test_a_swap_in_a_schedule_that_does_not_exist_names_those_that_do(running: Running) -> None:
    assert running.refused("oncall", "swap", "night", "ada", "bob") == (
        "there is no schedule 'night'; there are alone, primary"
    )


def test_a_swap_is_of_whole_turns_but_for_what_has_passed() -> None:
    at = MONDAY + timedelta(hours=6)
    assert swapped(TURNS, "ada", "bob", at, MONDAY - DAY) == (
        Turn("bob", MONDAY, MONDAY + DAY),
        Turn("ada", MONDAY + DAY, MONDAY + 2 * DAY),
    )
    begun, _ = swapped(TURNS, "ada", "bob", at, at)
    assert begun == Turn("bob", at, MONDAY + DAY)
    assert swapped(TURNS, "bob", "ada", MONDAY + DAY, MONDAY)[1] == Turn("bob", MONDAY + 3 * DAY, MONDAY + 4 * DAY)


@pytest.mark.parametrize(
    ("schedule", "words", "said"),
    [
        ("primary", ("ada", "ada", MONDAY, MONDAY), "ada cannot swap with themselves"),
        ("primary", ("bob", "ada", MONDAY, MONDAY), "not bob but ada is on call for primary at 2026-01-26T09:00:00"),
        ("primary", ("ada", "mallory", MONDAY, MONDAY), "mallory has no turn of primary within a year"),
        ("primary", ("ada", "bob", MONDAY, MONDAY + DAY), "the turn of ada at 2026-01-26T09:00:00+00:00 is over"),
        ("alone", ("eve", "bob", MONDAY, MONDAY), "has no end within a year"),
    ],
)
def test_where_there_is_nothing_to_swap_it_says_why(schedule: str, words: tuple[Any, ...], said: str) -> None:
    known = Turns(load(PLAYBOOK).playbook.schedule(schedule), ())
    with pytest.raises(ProblemError, match=re.escape(said)):
        swapped(known, *words)
