"""Who may ask for what: every command for every access, the length of a silence, the incident's commander."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin_playbook import Playbook, load
from tocsin_playbook.access import ACCESSES, LEAST_ACCESS, access_of, includes, is_refusal, refusal
from tocsin_playbook.model.oncall import Access
from tocsin_schemas import COMMANDS, Actor, Command, Role
from tocsin_schemas.commands import Acknowledge, ApproveAction, Merge, Silence

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def playbook(others: str = "viewer", **people: str) -> Playbook:
    """A playbook whose people have this access."""
    named = ", ".join(f"{{name: {name}, access: {access}}}" for name, access in people.items())
    text = "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: p}\nseverities: [{name: P1}]\n"
    return load(f"{text}oncall: {{others: {others}, people: [{named}]}}\n").playbook


PEOPLE = playbook(ada="viewer", bob="responder", eve="commander", mallory="admin")
NAMES: dict[Access, str] = {"viewer": "ada", "responder": "bob", "commander": "eve", "admin": "mallory"}


def person(name: str) -> Actor:
    return Actor.person(name, "cli")


def of_kind(kind: type[Command]) -> Command:
    """A command of this kind; a silence is a short one."""
    return (
        Silence(match=('a="b"',), until=NOW, because="x", by=person("x")) if kind is Silence else kind.model_construct()
    )


def merge(by: str) -> Merge:
    return Merge(incident="inc1", into="inc2", by=person(by))


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("kind", COMMANDS.values(), ids=lambda kind: kind.__name__)
def test_who_has_the_least_access_or_more_may_and_who_has_less_may_not(kind: type[Command], access: Access) -> None:
    reason = refusal((PEOPLE,), person(NAMES[access]), of_kind(kind), NOW)
    assert (reason is None) == (ACCESSES.index(access) >= ACCESSES.index(LEAST_ACCESS[kind]))


def test_every_command_is_in_the_table_and_viewers_may_ask_for_none() -> None:
    assert set(LEAST_ACCESS) == set(COMMANDS.values())
    assert "viewer" not in LEAST_ACCESS.values()


@pytest.mark.parametrize(
    ("name", "command", "reason"),
    [
        ("ada", Acknowledge(incident="i", by=person("ada")), "ada is a viewer; Acknowledge asks for a responder"),
        ("bob", merge("bob"), "bob is a responder; Merge asks for a commander"),
        ("stranger", merge("stranger"), "stranger is a viewer; Merge asks for a commander"),
    ],
)
def test_a_refusal_says_what_somebody_is_and_what_it_asks_for(name: str, command: Command, reason: str) -> None:
    assert refusal((PEOPLE,), person(name), command, NOW) == reason


@pytest.mark.parametrize(
    ("lasts", "least", "what"),
    [
        (SECOND, "responder", "Silence asks for a responder"),
        (DAY, "responder", "Silence asks for a responder"),
        (DAY + SECOND, "commander", "Silence for more than 24 hours asks for a commander"),
        (30 * DAY, "commander", "Silence for more than 24 hours asks for a commander"),
        (30 * DAY + SECOND, "admin", "Silence for more than 30 days asks for an admin"),
    ],
)
@pytest.mark.parametrize("access", ACCESSES)
def test_a_longer_silence_asks_for_more(lasts: timedelta, least: Access, what: str, access: Access) -> None:
    command = Silence(match=('a="b"',), until=NOW + lasts, because="x", by=person("x"))
    reason = refusal((PEOPLE,), person(NAMES[access]), command, NOW)
    assert reason is None if includes(access, least) else (reason or "").endswith(f"; {what}")


def test_a_silence_that_begins_late_is_as_long_as_until_its_end() -> None:
    late = Silence(match=('a="b"',), begins_at=NOW + 40 * DAY, until=NOW + 41 * DAY, because="x", by=person("x"))
    assert refusal((PEOPLE,), person("eve"), late, NOW) is not None


def test_the_commander_of_an_incident_counts_as_one_there_and_others_do_not() -> None:
    assert refusal((PEOPLE,), person("bob"), merge("bob"), NOW, roles={Role.COMMANDER: "bob"}) is None
    assert refusal((PEOPLE,), person("bob"), merge("bob"), NOW, roles={Role.COMMANDER: "eve"}) is not None
    assert refusal((PEOPLE,), person("bob"), merge("bob"), NOW, roles={Role.TECHNICAL_LEAD: "bob"}) is not None


def test_an_admin_who_is_the_commander_stays_an_admin() -> None:
    long = Silence(match=('a="b"',), until=NOW + 90 * DAY, because="x", by=person("x"))
    assert refusal((PEOPLE,), person("mallory"), long, NOW, roles={Role.COMMANDER: "mallory"}) is None


def test_who_says_to_be_the_system_is_refused() -> None:
    command = ApproveAction(incident="i", action="a", by=Actor.system("escalator"))
    reason = refusal((PEOPLE,), command.by, command, NOW)
    assert reason == "escalator is not a person: only people ask for something"


def test_who_is_named_has_the_most_that_a_playbook_gives_them() -> None:
    assert access_of((playbook(bob="viewer"), playbook(bob="commander")), "bob") == "commander"
    assert access_of((playbook(bob="viewer"), playbook("admin")), "bob") == "viewer"


def test_who_is_not_named_has_the_least_that_a_playbook_gives_to_others() -> None:
    assert access_of((playbook("admin"), playbook("viewer"), playbook("commander")), "eve") == "viewer"
    assert access_of((), "eve") == "responder"


@pytest.mark.parametrize("kind", list(LEAST_ACCESS))
@pytest.mark.parametrize("access", ["viewer", "responder"])
def test_a_refusal_is_told_from_other_reasons(kind: type[Command], access: Access) -> None:
    reason = refusal((PEOPLE,), person(NAMES[access]), of_kind(kind), NOW)
    assert reason is None or is_refusal(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "the incident is closed",
        "there is no incident inc1",
        "eve is a viewer",
        "ada is a king; Resolve asks for a viewer",
    ],
)
def test_another_reason_is_no_refusal(reason: str) -> None:
    assert not is_refusal(reason)


def test_a_refusal_of_a_long_silence_is_one() -> None:
    assert is_refusal("eve of the shop is a responder; Silence for more than 30 days asks for an admin")
