"""What a log adds up to: the timeline in words, incidents, actions."""

from datetime import timedelta

from tocsin_rehearsal import factories
from tocsin_rehearsal.views import Action, Line, actions_in, excerpt, incidents_in, timeline_of
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import IncidentOpened

SECOND = timedelta(seconds=1)
OTHER = "other"


def log(*events: Event, incident: str = factories.INCIDENT) -> list[Envelope[Event]]:
    """One event a second."""
    return [
        factories.envelope(event, incident=incident, at=factories.NOW + number * SECOND, sequence=number + 1)
        for number, event in enumerate(events)
    ]


def test_a_line_is_a_text_with_its_parts() -> None:
    (line,) = timeline_of(log(factories.responder_paged(level=1, reason="escalated")), factories.NOW - 90 * SECOND)

    assert line == "1m30s Paged ada (level 2): nobody has answered yet"
    assert line.at == timedelta(seconds=90)
    assert line.incident == factories.INCIDENT
    assert line.said == "Paged ada (level 2): nobody has answered yet"
    assert isinstance(line, Line)


def test_the_timeline_keeps_the_order_of_the_log() -> None:
    events = log(factories.incident_opened(), factories.incident_acknowledged(), factories.incident_resolved())

    assert [line.split()[0] for line in timeline_of(events, factories.NOW)] == ["0s", "1s", "2s"]


def test_incidents_are_as_they_stand_in_the_order_in_which_they_were_opened() -> None:
    first = log(factories.incident_opened(), factories.incident_acknowledged(), factories.incident_resolved())
    second = log(factories.incident_opened(severity="P2"), incident=OTHER)

    one, other = incidents_in([first[0], *second, *first[1:]])

    assert (one.incident, one.phase, one.severity) == (factories.INCIDENT, "resolved", "P1")
    assert (other.incident, other.phase, other.severity) == (OTHER, "triggered", "P2")


def test_an_action_says_what_became_of_it() -> None:
    events = log(
        factories.action_proposed(), factories.action_claimed(), factories.action_failed(reason="no connection")
    )

    assert actions_in(events, factories.NOW) == [
        Action(timedelta(), factories.INCIDENT, "checkout-failing", "clear-cache", "failed", 1, "no connection")  # type: ignore[arg-type]  # a StrEnum equals its text
    ]


def test_actions_are_those_of_all_incidents_in_the_order_in_which_they_were_proposed() -> None:
    here = log(factories.action_proposed(action="a"), factories.action_proposed(action="b", step="fail-over"))
    there = log(factories.action_proposed(action="a", needs_approval=True), incident=OTHER)

    found = actions_in([here[0], *there, here[1]], factories.NOW)

    assert [(action.incident, action.step, action.outcome) for action in found] == [
        (factories.INCIDENT, "clear-cache", "proposed"),
        (OTHER, "clear-cache", "waiting_for_approval"),
        (factories.INCIDENT, "fail-over", "proposed"),
    ]


def test_more_actions_than_a_summary_lists_are_all_there() -> None:
    events = log(*(factories.action_proposed(action=f"a{number}") for number in range(150)))

    assert len(actions_in(events, factories.NOW)) == 150


def test_an_excerpt_has_the_first_and_the_last_lines_and_says_how_many_are_missing() -> None:
    lines = [f"line {number}" for number in range(100)]

    assert excerpt(lines, first=2, last=3) == ["line 0", "line 1", "… 95 more …", "line 97", "line 98", "line 99"]
    assert excerpt(lines, first=50, last=50) == lines
    assert excerpt(lines, first=50, last=49) == lines


def test_a_line_that_is_too_wide_is_cut() -> None:
    (cut,) = excerpt(["x" * 1000])

    assert len(cut) == 160
    assert cut.endswith("…")


def test_nothing_adds_up_to_nothing() -> None:
    nothing: list[Envelope[IncidentOpened]] = []

    assert timeline_of(nothing, factories.NOW) == []
    assert incidents_in(nothing) == []
    assert actions_in(nothing, factories.NOW) == []
