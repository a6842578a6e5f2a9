"""Decisions compared: what differs is named event by event, what follows from ids and waiting is not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_builders import ADA, NOW, SECOND, Message, events, note, opened, stated

from tocsin_notifier.core.plan import notification_id
from tocsin_rehearsal.recording import Difference, compare, inputs_of, read, without_actions
from tocsin_rehearsal.recording.compare import _longest_rising
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    ActionClaimed,
    DeadlineSet,
    IncidentAcknowledged,
    NotificationDelivered,
    ResponderPaged,
    StatusPagePublished,
)

GOLDEN = sorted((Path(__file__).parents[4] / "tests" / "golden").glob("*.jsonl"))


def paged(target: str, after: int = 0, incident: str = "inc1", page: str = "p") -> Message:
    event = ResponderPaged(page=page, target=target, level=0, severity="P1", reason="opened")
    return stated(event, incident, at=NOW + after * SECOND, cause=f"{target}{after}")


def due(after: int, deadline: str = "d", kind: DeadlineKind = DeadlineKind.ACKNOWLEDGE) -> Message:
    return stated(DeadlineSet(deadline=deadline, kind=kind, due_at=NOW + after * SECOND), cause=f"{deadline}{after}")


def delivered(of: Message, recipient: str = "person:ada", channel: str = "slack", after: int = 1) -> Message:
    key = recipient if recipient.startswith("person:") else f"channel:slack:{recipient}"
    event = NotificationDelivered(
        notification=notification_id(of[1].id, key), channel=channel, recipient=recipient, reference=f"{of[1].id[:8]}"
    )
    return stated(event, at=NOW + after * SECOND, cause=f"receipt {of[1].id}{recipient}")


def differences(recorded: Sequence[Message], decided: Sequence[Message]) -> list[str]:
    return [short(found) for found in compare(events(*recorded), events(*decided))]


def short(found: Difference) -> str:
    change = f" {found.field} {found.recorded} -> {found.decided}" if found.kind == "changed" else ""
    return f"{found.kind} {found.type} {found.place}{change}"


# --- the same ---------------------------------------------------------------------------------------------------------


def test_the_same_decisions_have_no_differences() -> None:
    assert differences([opened(), paged("person:ada")], [opened(), paged("person:ada")]) == []


def test_other_names_and_another_day_are_no_difference() -> None:
    then = [opened(), paged("person:ada", 5), due(60)]
    days = timedelta(days=30)
    now = [
        opened("inc7", at=NOW + days),
        paged("person:ada", 5, "inc7", page="q"),
        due(60, deadline="another"),
    ]
    moved = [now[0][1], replace(now[1][1], time=NOW + days + 5 * SECOND)]
    event = now[2][1].data
    assert isinstance(event, DeadlineSet)
    later = event.model_copy(update={"due_at": event.due_at + days})
    moved.append(replace(now[2][1], incident="inc7", time=NOW + days, data=later))
    assert compare(events(*then), moved) == []  # type: ignore[arg-type]  # all three are events


@given(st.timedeltas(min_value=timedelta(days=-300), max_value=timedelta(days=300)))
def test_a_log_moved_in_time_is_the_same(offset: timedelta) -> None:
    log = events(opened(), paged("person:ada", 5), note("x", at=NOW + 9 * SECOND))
    moved = [_moved(event, offset) for event in log]
    assert compare(log, moved) == []


def _moved(event: Envelope[Event], offset: timedelta) -> Envelope[Event]:
    moments = {"started_at": event.data.started_at + offset} if hasattr(event.data, "started_at") else {}
    return replace(event, time=event.time + offset, data=event.data.model_copy(update=moments))


def test_times_may_differ_by_the_tolerance_and_no_more() -> None:
    assert differences([opened(), paged("person:ada", 5)], [opened(), paged("person:ada", 6)]) == []
    assert differences([opened(), paged("person:ada", 5)], [opened(), paged("person:ada", 7)]) == [
        "changed ResponderPaged 2 time +5.0 s -> +7.0 s"
    ]
    assert compare(events(opened(), due(5)), events(opened(), due(9)), tolerance=None) == []


# --- different --------------------------------------------------------------------------------------------------------


def test_what_is_not_decided_any_more_is_missing() -> None:
    assert differences([opened(), paged("person:ada")], [opened()]) == ["missing ResponderPaged 2"]


def test_what_was_not_decided_then_is_additional() -> None:
    assert differences([opened()], [opened(), paged("person:ada")]) == ["additional ResponderPaged 2"]


def test_a_changed_field_is_named_with_both_values() -> None:
    assert differences([opened(), paged("person:ada")], [opened(), paged("person:grace")]) == [
        "changed ResponderPaged 2 target person:ada -> person:grace"
    ]


def test_one_that_is_missing_among_its_like_is_named_and_not_the_last_of_them() -> None:
    then = [opened(), paged("person:ada", 1), paged("person:grace", 2), paged("person:joan", 3)]
    assert differences(then, [*then[:2], then[3]]) == ["missing ResponderPaged 3"]


def test_a_deadline_at_another_moment_is_a_change_of_that_moment() -> None:
    assert differences([opened(), due(60)], [opened(), due(90)]) == ["changed DeadlineSet 2 due_at +60.0 s -> +90.0 s"]


def test_a_field_that_was_not_there_is_named() -> None:
    then = stated(IncidentAcknowledged(by=ADA))
    now = stated(IncidentAcknowledged(by=ADA, until=NOW + SECOND))
    assert differences([opened(), then], [opened(), now]) == ["changed IncidentAcknowledged 2 until nothing -> +1.0 s"]
    assert differences([opened(), now], [opened(), then]) == ["changed IncidentAcknowledged 2 until +1.0 s -> nothing"]


def test_another_order_is_a_difference_of_one_event() -> None:
    then = [opened(), paged("person:ada"), paged("person:grace"), note("x")]
    now = [opened(), paged("person:grace"), note("x"), paged("person:ada")]
    assert differences(then, now) == ["changed ResponderPaged 2 order number 2 -> number 4"]


def test_messages_go_out_side_by_side_and_their_order_is_no_decision() -> None:
    page, more = paged("person:ada"), paged("person:grace")
    one, two = delivered(page), delivered(more, "person:grace")
    assert differences([opened(), page, more, one, two], [opened(), page, more, two, one]) == []


def test_a_receipt_that_is_about_something_else_is_a_difference() -> None:
    page, noted = paged("person:ada"), note("x")
    assert differences([opened(), page, noted, delivered(page)], [opened(), page, noted, delivered(noted)]) == [
        "changed NotificationDelivered 1 about ResponderPaged -> NoteAdded"
    ]


def test_a_status_page_by_another_name_is_a_difference() -> None:
    then, now = (stated(StatusPagePublished(page=name, status="resolved", message="m")) for name in ("a", "b"))
    assert differences([opened(), then], [opened(), now]) == ["changed StatusPagePublished 1 page a -> b"]


# --- incidents --------------------------------------------------------------------------------------------------------


def test_incidents_are_matched_by_their_group_and_number() -> None:
    then = [opened("a", group="g"), opened("b", group="g"), opened("c", group="h"), paged("person:ada", incident="b")]
    now = [opened("x", group="h"), opened("y", group="g"), opened("z", group="g"), paged("person:ada", incident="z")]
    assert differences(then, now) == []


def test_an_incident_that_nobody_opens_any_more_is_missing_event_by_event() -> None:
    found = compare(events(opened("a"), paged("person:ada", incident="a")), [])
    assert [(each.incident, short(each)) for each in found] == [
        ("a", "missing IncidentOpened 1"), ("a", "missing ResponderPaged 2"),
    ]  # fmt: skip
    assert [short(each) for each in compare([], events(opened("a")))] == ["additional IncidentOpened 1"]


def test_an_incident_that_began_before_is_matched_by_its_name() -> None:
    assert differences([paged("person:ada")], [paged("person:ada")]) == []
    assert differences([paged("person:ada")], [paged("person:grace")]) != []


def test_a_difference_can_be_read() -> None:
    (missing,) = compare(events(opened(), paged("person:ada", 5)), events(opened()))
    assert str(missing) == (
        "inc1 +5.0 s escalator ResponderPaged: missing "
        "(target person:ada, level 0, round 0, severity P1, reason opened)"
    )
    (changed,) = compare(events(opened(), paged("person:ada", 5)), events(opened(), paged("person:grace", 5)))
    assert str(changed) == "inc1 +5.0 s escalator ResponderPaged: target was person:ada, is person:grace"


# --- without actions --------------------------------------------------------------------------------------------------


def test_without_actions_nothing_is_left_that_followed_from_one() -> None:
    claimed = stated(
        ActionClaimed(action="a", runbook="r", step="s", attempt=1, execution="e", claimed_by="x", abandon_at=NOW)
    )
    page = paged("person:ada")
    told = [delivered(claimed, "#incidents"), delivered(claimed, "#incidents", channel="email"), delivered(page)]
    followed = stated(ResponderPaged.model_validate(page[1].data.model_dump()), cause=claimed[1].id)
    left = without_actions(events(opened(), page, claimed, *told, followed))
    assert [type(event.data).__name__ for event in left] == [
        "IncidentOpened", "ResponderPaged", "NotificationDelivered",
    ]  # fmt: skip


# --- whole logs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_real_log_is_the_same_as_itself_and_misses_each_event_that_is_taken_out(path: Path) -> None:
    log = inputs_of(read(path)).events
    assert compare(log, log) == []
    for index, event in enumerate(log[1:], 1):
        found = compare(log, [*log[:index], *log[index + 1 :]])
        missing = [each for each in found if each.kind == "missing"]
        assert [each.type for each in missing] == [type(event.data).__name__]
        assert not [each for each in found if each.kind == "additional"]


@given(st.lists(st.integers(0, 30), unique=True, max_size=12))
def test_a_longest_rising_run_rises_and_no_other_is_longer(values: list[int]) -> None:
    kept = sorted(_longest_rising(values))
    run = [values[position] for position in kept]
    assert run == sorted(run)
    longest = [1] * len(values)
    for end in range(len(values)):
        longest[end] += max((longest[start] for start in range(end) if values[start] < values[end]), default=0)
    assert len(run) == max(longest, default=0)
