"""Subjects are made by us: no text from outside can widen one, move one or add a token to one."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_schemas import COMMANDS, INCIDENT_EVENTS, Event
from tocsin_schemas import subjects as module
from tocsin_schemas.events import NoteAdded
from tocsin_schemas.ids import incident_id
from tocsin_schemas.subjects import (
    ALERT_SHARDS,
    IncidentSubject,
    SubjectError,
    alert_shard,
    alert_subject,
    command_subject,
    deadletter_subject,
    incident_filter,
    incident_subject,
    metrics_subject,
    parse_incident_subject,
    playbook_subject,
    service_log_filter,
    timer_at_subject,
    timer_due_subject,
)

ANYTHING = st.text(st.characters()) | st.text(st.sampled_from("ab01.*> -_\t\r\n\x00\ud800😀"), max_size=8)
TOKEN = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
SUBJECT = re.compile(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*")

BUILDERS: dict[str, tuple[int, str, Callable[[str, str, str], str]]] = {
    "metrics": (3, module.METRICS, lambda a, b, c: metrics_subject(a)),
    "alert": (3, module.ALERTS, lambda a, b, c: alert_subject(a)),
    "incident": (5, module.INCIDENTS, lambda a, b, c: incident_subject(a, NoteAdded)),
    "timer_at": (5, module.TIMERS_AT, timer_at_subject),
    "timer_due": (5, module.TIMERS_DUE, timer_due_subject),
    "playbook": (3, module.PLAYBOOKS, lambda a, b, c: playbook_subject(a)),
    "deadletter": (3, module.DEADLETTERS, lambda a, b, c: deadletter_subject(a)),
}
FILTERS: dict[str, tuple[str, Callable[[str, str], str]]] = {
    "incident": ("tocsin.incidents.{0}.>", lambda a, b: incident_filter(a)),
    "service log": ("tocsin.incidents.{0}.{1}.>", service_log_filter),
}


def matches(subject: str, pattern: str) -> bool:
    """NATS's own matching."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given) >= len(wanted) and matches(".".join(given[: len(wanted) - 1]), ".".join(wanted[:-1]))
    return len(given) == len(wanted) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


@pytest.mark.parametrize("name", BUILDERS)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_no_text_makes_a_subject_with_a_wildcard_or_another_token(name: str, one: str, two: str, three: str) -> None:
    tokens, pattern, build = BUILDERS[name]
    try:
        subject = build(one, two, three)
    except ValueError:  # SubjectError, or no text at all (half a character)
        return
    assert SUBJECT.fullmatch(subject)
    assert subject.count(".") == tokens - 1
    assert matches(subject, pattern)


@pytest.mark.parametrize("name", FILTERS)
@given(ANYTHING, ANYTHING)
def test_no_text_widens_a_filter(name: str, one: str, two: str) -> None:
    shape, build = FILTERS[name]
    try:
        found = build(one, two)
    except SubjectError:
        return
    assert found == shape.format(one, two)
    assert SUBJECT.fullmatch(found.removesuffix(".>"))


@pytest.mark.parametrize(
    "bad", ["*", ">", "a.b", "", " ", "A", "a\n", "inc.*.>", "a" * 65, "ä", "-a", "a\x00", "\ud800"]
)
def test_what_cannot_be_a_token_is_refused_and_named(bad: str) -> None:
    for build in (
        lambda: incident_subject(bad, NoteAdded),
        lambda: incident_filter(bad),
        lambda: service_log_filter("inc", bad),
        lambda: timer_at_subject("escalator", bad, "d"),
        lambda: timer_due_subject(bad, "inc", "d"),
        lambda: deadletter_subject(bad),
    ):
        with pytest.raises(SubjectError, match="cannot be a token"):
            build()


@pytest.mark.parametrize("event", INCIDENT_EVENTS, ids=lambda event: event.__name__)
def test_the_subject_of_every_event_is_read_back(event: type[Event]) -> None:
    subject = incident_subject("inc1", event)
    assert parse_incident_subject(subject) == IncidentSubject("inc1", event.OWNER, event.SLUG)
    assert matches(subject, module.INCIDENTS)
    assert matches(subject, incident_filter("inc1"))
    assert matches(subject, service_log_filter("inc1", event.OWNER))
    assert not matches(subject, service_log_filter("inc2", event.OWNER))


@given(TOKEN, st.sampled_from(INCIDENT_EVENTS))
def test_reading_is_the_inverse_of_building(incident: str, event: type[Event]) -> None:
    assert parse_incident_subject(incident_subject(incident, event)) == IncidentSubject(
        incident, event.OWNER, event.SLUG
    )


@given(ANYTHING | st.lists(ANYTHING, min_size=2, max_size=6).map(".".join).map("tocsin.incidents.".__add__))
def test_whatever_is_read_can_be_built_again(subject: str) -> None:
    try:
        read = parse_incident_subject(subject)
    except SubjectError:
        return
    assert f"tocsin.incidents.{read.incident}.{read.service}.{read.token}" == subject


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.__name__)
def test_every_command_has_a_subject(command: type) -> None:
    assert matches(command_subject(command), module.COMMANDS)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_different_names_have_different_subjects(one: str, other: str) -> None:
    for build in (metrics_subject, playbook_subject):
        assert (build(one) == build(other)) == (one == other)
    assert (timer_at_subject("s", "i", one) == timer_at_subject("s", "i", other)) == (one == other)


@given(st.text(st.characters(codec="utf-8")))
def test_a_shard_is_one_of_sixty_four(rule: str) -> None:
    assert 0 <= alert_shard(rule) < ALERT_SHARDS
    assert alert_subject(rule) == f"tocsin.alerts.{alert_shard(rule)}"


def test_rules_are_spread_over_the_shards() -> None:
    assert len({alert_shard(f"rule{n}") for n in range(1000)}) == ALERT_SHARDS
    assert alert_subject("CheckoutErrors") == "tocsin.alerts.18"


def test_the_id_of_an_incident_is_a_token() -> None:
    assert incident_filter(incident_id("* > . \n", 3)).count(".") == 3


def test_an_armed_and_a_ringing_clock_are_two_subjects_of_one_key() -> None:
    at, due = (build("escalator", "inc1", "ack") for build in (timer_at_subject, timer_due_subject))
    assert at.rsplit(".", 1)[1] == due.rsplit(".", 1)[1]
    assert not matches(at, module.TIMERS_DUE)
