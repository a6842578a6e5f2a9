"""`tocsin oncall`: what is shown, exported and imported, and one clear line where something is wrong."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from icalendar import Calendar
from typer.testing import CliRunner

from tocsin import oncall
from tocsin.main import app
from tocsin_playbook import load, turns
from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_testkit.nats import NatsServer

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}]
communicate:
  channels: [{name: term, console: {}}]
escalate:
  - severities: [P0]
    levels: [{after: 0s, notify: ["schedule:primary"]}]
oncall:
  people:
    - {name: ada, full_name: Ada Lovelace, contacts: [{channel: term, address: ada@example.com}]}
    - {name: grace, contacts: [{channel: term, address: grace@example.com}]}
  schedules:
    - name: primary
      time_zone: Europe/Berlin
      layers:
        - {people: [grace, ada], turn: weekly, handover: {day: monday}, starts: 2026-01-05}
    - name: office # nobody at night
      layers:
        - people: [grace]
          starts: 2026-01-05
          restrictions: [{from: "09:00", to: "17:00"}]
"""
DURING = "2026-03-25T18:00+01:00"


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(PLAYBOOK)
    return file


def tocsin(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["oncall", *map(str, words)], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


# --- show -------------------------------------------------------------------------------------------------------------


def test_every_schedule_says_who_is_on_call_and_who_is_next_in_its_own_time(playbook: Path) -> None:
    assert tocsin("show", playbook, "--at", DURING) == (
        0,
        "primary Europe/Berlin\n"
        "  now   ada (Ada Lovelace)  Mon 2026-03-23 09:00+01:00 to Mon 2026-03-30 09:00+02:00\n"
        "  next  grace               Mon 2026-03-30 09:00+02:00 to Mon 2026-04-06 09:00+02:00\n"
        "\n"
        "office UTC\n"
        "  now   nobody  Wed 2026-03-25 17:00+00:00 to Thu 2026-03-26 09:00+00:00\n"
        "  next  grace   Thu 2026-03-26 09:00+00:00 to Thu 2026-03-26 17:00+00:00\n",
        "",
    )


def test_a_terminal_that_is_too_narrow_gets_the_times_below(playbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oncall.out, "_force_terminal", True)
    monkeypatch.setattr(oncall.out, "no_color", True)
    monkeypatch.setattr(oncall.out, "width", 80)
    output = tocsin("show", playbook, "--at", DURING, "--schedule", "primary")[1]
    assert "\n        Mon 2026-03-23 09:00+01:00 to Mon 2026-03-30 09:00+02:00\n" in output


def test_machines_get_the_same_as_json(playbook: Path) -> None:
    status, output, _ = tocsin("show", playbook, "--at", DURING, "--schedule", "primary", "--json")
    assert status == 0
    assert json.loads(output) == {
        "at": "2026-03-25T18:00:00+01:00",
        "schedules": [
            {
                "playbook": "shop",
                "schedule": "primary",
                "time_zone": "Europe/Berlin",
                "now": {
                    "person": "ada",
                    "full_name": "Ada Lovelace",
                    "since": "2026-03-23T09:00:00+01:00",
                    "until": "2026-03-30T09:00:00+02:00",
                },
                "next": {
                    "person": "grace",
                    "full_name": None,
                    "since": "2026-03-30T09:00:00+02:00",
                    "until": "2026-04-06T09:00:00+02:00",
                },
                "overrides": [],
            }
        ],
    }


def test_before_a_schedule_begins_and_without_an_end_there_is_no_moment_to_show(playbook: Path) -> None:
    playbook.write_text(PLAYBOOK.replace("[grace, ada], turn", "[joan], turn"))
    status, output, _ = tocsin("show", playbook, "--at", "2025-12-24T00:00Z", "--schedule", "primary")
    assert status == 0
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[1:] == ["now nobody … to Mon 2026-01-05 00:00+01:00", "next joan Mon 2026-01-05 00:00+01:00 to …"]
    now = json.loads(tocsin("show", playbook, "--at", DURING, "--json")[1])["schedules"][0]
    assert (now["now"]["until"], now["next"]) == (None, None)


def test_a_playbook_without_schedules_says_so(playbook: Path) -> None:
    playbook.write_text(PLAYBOOK[: PLAYBOOK.index("  schedules:")].replace("schedule:primary", "person:ada"))
    assert tocsin("show", playbook)[:2] == (0, "no schedules\n")


def test_without_a_playbook_those_in_force_are_shown(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, playbook: Path
) -> None:
    async def publish(texts: Sequence[str]) -> None:
        connection = Connection(Address(nats_server.url), "operator")
        await connection.open()
        await ensure_streams(connection)
        for text in texts:
            await push(connection, text, source="test")
        await connection.close()

    monkeypatch.setenv("TOCSIN_NATS_URL", nats_server.url)
    other = PLAYBOOK.replace("name: shop", "name: bank").replace("  - name: office", "  - name: night")
    asyncio.run(publish([PLAYBOOK, other]))
    status, output, error = tocsin("show", "--at", DURING)
    assert (status, error) == (0, "")
    titles = [line for line in output.splitlines() if line and not line.startswith(" ")]
    assert titles == [
        "bank: primary Europe/Berlin",
        "bank: night UTC",
        "shop: primary Europe/Berlin",
        "shop: office UTC",
    ]
    assert tocsin("show", "--schedule", "desk")[2] == "there is no schedule 'desk'; there are night, office, primary\n"


# --- export and import ------------------------------------------------------------------------------------------------


def test_an_export_has_every_turn_of_its_days(playbook: Path) -> None:
    status, output, _ = tocsin("export", playbook, "primary", "--days", "30")
    now, made = datetime.now(UTC), load(PLAYBOOK).playbook
    wanted = turns(made.schedule("primary"), now, now + timedelta(days=30), holidays=())
    assert status == 0
    found = Calendar.from_ical(output).walk("VEVENT")
    assert [str(each["SUMMARY"]).removeprefix("On call: ").split()[0].lower() for each in found] == [
        turn.person for turn in wanted
    ]


def test_an_exported_schedule_can_be_imported_as_overrides(playbook: Path, tmp_path: Path) -> None:
    file = tmp_path / "primary.ics"
    assert tocsin("export", playbook, "primary", "--days", "10", "--output", file)[1].endswith(f" turns in {file}\n")
    status, output, error = tocsin("import", file, playbook, "--schedule", "primary")
    assert status == 0
    lines = output.splitlines()
    assert lines[0] == "overrides:"
    assert error == f"{len(lines) - 1} overrides for primary\n"
    assert all(line.startswith('  - {person: "') for line in lines[1:])
    assert playbook.read_text() == PLAYBOOK, "nothing is changed"


def a_calendar(tmp_path: Path, summary: str = "Grace", begins: datetime | None = None) -> Path:
    file, at = tmp_path / "swap.ics", begins or datetime.now(UTC) + timedelta(days=3)
    file.write_text(
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:swap-1\nSUMMARY:{summary}\n"
        f"DTSTART:{at:%Y%m%dT%H%M%SZ}\nDURATION:PT8H\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return file


def test_overrides_are_written_into_the_playbook_on_demand(playbook: Path, tmp_path: Path) -> None:
    playbook.chmod(0o640)
    swap = a_calendar(tmp_path)
    status, output, error = tocsin("import", swap, playbook, "--schedule", "office", "--write")
    assert (status, output) == (0, "")
    assert error == f"1 override for office, written to {playbook}\n"
    assert [each.person for each in load(playbook.read_text()).playbook.schedule("office").overrides] == ["grace"]
    assert playbook.read_text().startswith(PLAYBOOK), "everything else is as it was"
    assert playbook.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [playbook, swap], "no other file is left"


def test_a_calendar_of_the_past_asks_for_nothing(playbook: Path, tmp_path: Path) -> None:
    old = a_calendar(tmp_path, begins=datetime(2026, 1, 6, tzinfo=UTC))
    for words in ((), ("--write",)):
        status, output, error = tocsin("import", old, playbook, "--schedule", "primary", *words)
        assert (status, output) == (0, "")
        assert error == "0 overrides for primary; 1 event cancelled or not in these 366 days\n"
    assert playbook.read_text() == PLAYBOOK


# --- one clear line ---------------------------------------------------------------------------------------------------


def test_what_is_wrong_is_one_line_and_status_1(playbook: Path, tmp_path: Path) -> None:
    swap, unknown = a_calendar(tmp_path), "there is no schedule 'desk'; there are office, primary"
    cases: list[tuple[tuple[object, ...], str]] = [
        (("show", playbook, "--schedule", "desk"), unknown),
        (("export", playbook, "desk"), unknown),
        (("import", swap, playbook, "--schedule", "desk"), unknown),
        (("show", playbook, "--at", "noon"), "--at: 'noon' is no moment in time; expected a moment with its offset"),
        (("show", playbook, "--at", "2026-03-25T18:00"), "--at: the moment has no offset from UTC; expected"),
        (("show", swap), f"{swap}:1:1: "),
        (("export", playbook, "primary", "--output", tmp_path / "no" / "x.ics"), "[Errno 2] No such file"),
        (("import", playbook, playbook, "--schedule", "primary"), f"{playbook}: this is no calendar: "),
    ]
    for words, message in cases:
        status, output, error = tocsin(*words)
        assert (status, output, error.count("\n")) == (1, "", 1), words
        assert error.startswith(message)


def test_an_event_about_nobody_is_named_with_its_field(playbook: Path, tmp_path: Path) -> None:
    swap = a_calendar(tmp_path, summary="Bob")
    error = tocsin("import", swap, playbook, "--schedule", "primary")[2]
    assert error == f"{swap}: event swap-1: SUMMARY: 'Bob' names nobody of the playbook, and no ATTENDEE does\n"


def test_a_playbook_that_cannot_be_written_to_is_left_alone(playbook: Path, tmp_path: Path) -> None:
    text = PLAYBOOK.replace(
        "    - name: office # nobody at night\n      layers:", "    - name: office\n      overrides: []\n      layers:"
    )
    playbook.write_text(text)
    status, _, error = tocsin("import", a_calendar(tmp_path), playbook, "--schedule", "office", "--write")
    assert status == 1
    assert error == (
        f"{playbook}: cannot add the overrides: its `overrides` are not a list with one entry a line; "
        "without --write they are printed\n"
    )
    assert playbook.read_text() == text


def test_a_write_that_fails_leaves_the_playbook_and_nothing_else(
    playbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    swap = a_calendar(tmp_path)
    monkeypatch.setattr(oncall.os, "fsync", full)
    status, _, error = tocsin("import", swap, playbook, "--schedule", "office", "--write")
    assert (status, error) == (1, "[Errno 28] No space left on device\n")
    assert playbook.read_text() == PLAYBOOK
    assert sorted(tmp_path.iterdir()) == [playbook, swap]


def test_without_a_running_tocsin_it_says_how_to_get_one(tmp_path: Path) -> None:
    status, _, error = tocsin("show", "--data", tmp_path)
    assert status == 1
    assert "start one with `tocsin up`" in error


def test_an_address_where_nobody_answers_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_NATS_URL", "nats://127.0.0.1:9")
    monkeypatch.setattr(oncall, "_ANSWER_WITHIN", 0.2)
    status, _, error = tocsin("show")
    assert (status, error) == (1, "NATS does not answer\n")
