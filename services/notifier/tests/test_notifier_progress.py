"""What is to be done for a notification next, by the receipts in the log and by what has happened since."""

from hypothesis import given
from hypothesis import strategies as st
from notifier_builders import Log, opened, paged, resolved

from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.plan import Notification
from tocsin_notifier.core.progress import (
    DONE,
    Drop,
    Send,
    Unreachable,
    arrived,
    dropped,
    failed,
    next_step,
    thread_of,
    unreachable,
)
from tocsin_schemas import Actor
from tocsin_schemas.events import IncidentReopened, NotificationDelivered, NotificationFailed

SLACK, MAIL = Place("slack", "#incidents"), Place("email", "ada@shop.example")
REOPENED = IncidentReopened(by=Actor.system("escalator"))


def page(log: Log, target: str = "person:ada", reason: str = "opened", level: int = 0) -> Notification:
    (told,) = log.told(log.add(paged(target, reason, level)))
    return told


def test_the_first_way_is_tried_first() -> None:
    log = Log(opened())
    assert next_step(log.incident, page(log)) == Send(SLACK, 0, is_last=False)


def test_a_way_that_failed_leads_to_the_next_and_the_last_one_is_the_last() -> None:
    log = Log(opened())
    told = page(log)
    log.add(failed(told, Send(SLACK, 0, is_last=False), "no answer", 3).receipt)
    assert next_step(log.incident, told) == Send(MAIL, 1, is_last=True)


def test_a_failure_that_the_log_does_not_know_of_yet_counts_too() -> None:
    log = Log(opened())
    assert next_step(log.incident, page(log), tried=1) == Send(MAIL, 1, is_last=True)


def test_nothing_is_done_for_what_has_arrived_or_has_failed_everywhere() -> None:
    log = Log(opened())
    first, second = page(log), page(log, "person:grace")
    log.add(arrived(first, Send(SLACK, 0, is_last=False), "1.1", 1).receipt)
    log.add(failed(second, Send(MAIL, 0, is_last=True), "550", 1).receipt)
    assert next_step(log.incident, first) == next_step(log.incident, second) == DONE


def test_a_page_that_was_decided_before_the_resolution_is_not_sent_after_it() -> None:
    log = Log(opened())
    told = page(log)
    log.add(resolved())
    assert next_step(log.incident, told) == Drop("the incident was resolved before it was sent")


def test_a_page_from_before_a_resolution_is_not_sent_because_the_incident_was_reopened_but_a_new_one_is() -> None:
    log = Log(opened())
    old = page(log)
    log.add(resolved())
    log.add(REOPENED)
    new = page(log, reason="reopened")
    assert isinstance(next_step(log.incident, old), Drop)
    assert isinstance(next_step(log.incident, new), Send)


def test_the_resolution_itself_is_told() -> None:
    log = Log(opened())
    (told,) = log.told(log.add(resolved()))
    assert isinstance(next_step(log.incident, told), Send)


def test_a_later_page_for_the_same_recipient_stands_for_the_earlier_one() -> None:
    log = Log(opened())
    early, late = page(log), page(log, reason="escalated", level=1)
    assert next_step(log.incident, early) == Drop("a later page tells the same recipient")
    assert isinstance(next_step(log.incident, late), Send)


def test_a_request_to_approve_stands_for_no_page_and_no_page_for_it() -> None:
    log = Log(opened())
    ask, plain, ask_again = (
        page(log, reason="automation_needs_you"),
        page(log),
        page(log, reason="automation_needs_you"),
    )
    assert all(isinstance(next_step(log.incident, each), Send) for each in (ask, plain, ask_again))


def test_a_recipient_without_a_way_is_unreachable_and_that_is_said_once() -> None:
    log = Log(opened())
    told = page(log, "person:zoe")
    step = next_step(log.incident, told)
    assert isinstance(step, Unreachable)
    (receipt,) = unreachable(told, step).decide(log.incident)
    assert isinstance(receipt, NotificationFailed)
    assert (receipt.exhausted, receipt.channel) == (True, "none")
    log.add(receipt)
    assert next_step(log.incident, told) == DONE
    assert unreachable(told, step).decide(log.incident) == ()


def test_receipts_are_recorded_once_and_their_causes_tell_the_outcomes_apart() -> None:
    log = Log(opened())
    told = page(log)
    first, last = Send(SLACK, 0, is_last=False), Send(MAIL, 1, is_last=True)
    recordings = [failed(told, first, "x", 1), failed(told, last, "y", 1), arrived(told, last, "<id>", 2)]
    assert len({each.cause for each in [*recordings, dropped(told, Drop("z"))]}) == 4
    for recording in recordings:
        (receipt,) = recording.decide(log.incident)
        log.add(receipt)
        assert recording.decide(log.incident) == ()


def test_a_failure_is_not_recorded_after_another_replica_has_delivered() -> None:
    log = Log(opened())
    told = page(log)
    log.add(arrived(told, Send(MAIL, 1, is_last=True), "", 1).receipt)
    assert failed(told, Send(SLACK, 0, is_last=False), "late", 1).decide(log.incident) == ()


def test_only_the_last_failure_is_exhausting() -> None:
    log = Log(opened())
    told = page(log)
    outcomes = [failed(told, Send(SLACK, 0, is_last=False), "x", 1), failed(told, Send(MAIL, 1, is_last=True), "y", 1)]
    assert [each.receipt.exhausted for each in outcomes if isinstance(each.receipt, NotificationFailed)] == [
        False,
        True,
    ]


def test_the_first_message_at_a_place_is_the_root_of_the_incidents_thread_there() -> None:
    log = Log()
    (announcement,) = log.told(log.add(opened()))
    assert thread_of(log.incident, SLACK) is None
    log.add(arrived(announcement, Send(SLACK, 0, is_last=True), "1700.1", 1).receipt)
    log.add(NotificationDelivered(notification="n2", channel="slack", recipient="#incidents", reference="1700.2"))
    assert thread_of(log.incident, SLACK) == "1700.1"
    assert thread_of(log.incident, Place("slack", "#elsewhere")) is None


@given(st.lists(st.sampled_from(["fail", "arrive", "resolve", "reopen", "page"]), max_size=8))
def test_whatever_happens_a_notification_comes_to_an_end_and_says_so_in_at_most_one_receipt_a_way(
    happenings: list[str],
) -> None:
    log = Log(opened())
    told = page(log)
    for happening in happenings:
        if happening == "resolve":
            log.add(resolved())
        elif happening == "reopen":
            log.add(REOPENED)
        elif happening == "page":
            page(log)
        elif isinstance(step := next_step(log.incident, told), Send):
            ok = happening == "arrive"
            made = arrived(told, step, "r", 1) if ok else failed(told, step, "x", 1)
            for receipt in made.decide(log.incident):
                log.add(receipt)
    for _ in range(5):
        step = next_step(log.incident, told)
        if isinstance(step, Send):
            log.add(failed(told, step, "x", 1).receipt)
    assert not isinstance(next_step(log.incident, told), Send)
    own = [e.data for e in log.events if isinstance(e.data, NotificationDelivered | NotificationFailed)]
    mine = [data for data in own if data.notification == told.id]
    assert len(mine) <= len(told.recipient.ways)
