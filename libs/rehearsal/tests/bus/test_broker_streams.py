"""Streams: each message once within the window, under expectations; batches whole or not at all; full; aged."""

from datetime import timedelta

import pytest
from broker_bench import ALERT, LETTERS, Bench, appended, outcome
from broker_facts import fact

from tocsin_rehearsal.bus.filters import Filter
from tocsin_runtime.bus.connection import Written
from tocsin_runtime.bus.log import Append
from tocsin_schemas import subjects

INC1 = subjects.incident_filter("inc1")


@pytest.fixture
def bench() -> Bench:
    return Bench(window=timedelta(minutes=2))


def test_a_message_is_taken_once_within_the_window_and_again_after_it(bench: Bench) -> None:
    bus = bench.bus()
    publish = bus.connection.publish
    assert bench.do(bus, publish(LETTERS, fact("a"))) == Written(1)
    bench.wait(119)
    assert bench.do(bus, publish(LETTERS, fact("a"))) == Written(1, duplicate=True)
    bench.wait(1)
    assert bench.do(bus, publish(LETTERS, fact("a"))) == Written(2)


def test_a_restart_keeps_the_ids_of_what_still_stands_for_another_window(bench: Bench) -> None:
    bus = bench.bus()
    bench.write(bus, "old")
    bench.wait(119)
    bench.broker.kill()
    bench.broker.start()
    bench.wait(100)
    assert bench.write(bus, "old") == [1]
    bench.wait(20)
    assert bench.write(bus, "old") == [2]


def test_an_expectation_that_does_not_hold_loses_the_race(bench: Bench) -> None:
    bus = bench.bus()
    assert bench.do(bus, appended(bus, "a", expected=0)) == [1]
    assert bench.do(bus, outcome(appended(bus, "b", expected=0))) == "LostRaceError"
    assert bench.do(bus, appended(bus, "b", expected=1)) == [2]
    assert bench.do(bus, appended(bus, "c", expected=0, incident="inc2")) == [3]


def test_a_single_message_is_held_to_its_expectation_before_it_is_known_by_its_id(bench: Bench) -> None:
    """So a write whose answer was lost, and which is repeated, loses the race against itself."""
    bus = bench.bus()
    bench.do(bus, appended(bus, "a", expected=0))
    assert bench.do(bus, outcome(appended(bus, "a", expected=0))) == "LostRaceError"
    assert bench.do(bus, outcome(appended(bus, "a", expected=1))) == "AlreadyInLogError"


def test_an_expectation_looks_at_the_subject_itself_where_no_other_is_named(bench: Bench) -> None:
    bus = bench.bus()
    bench.write(bus, "a", to=ALERT)
    bench.write(bus, "b", to="tocsin.alerts.63")
    name = "Nats-Expected-Last-Subject-Sequence"
    publish = bus.connection.publish
    assert bench.do(bus, outcome(publish(ALERT, fact("c"), expect={name: "2"}))) == "LostRaceError"
    assert bench.do(bus, publish(ALERT, fact("c"), expect={name: "1"})) == Written(3)
    scope = {name: "3", f"{name}-Subject": "tocsin.alerts.*"}
    assert bench.do(bus, publish("tocsin.alerts.63", fact("d"), expect=scope)) == Written(4)


def test_a_batch_is_written_whole_or_not_at_all(bench: Bench) -> None:
    bus = bench.bus()
    log = bus.incidents
    one = Append("inc1", (fact("a", "inc1"), fact("b", "inc1")), 0, INC1)
    wrong = Append("inc2", (fact("c", "inc2"),), 5, subjects.incident_filter("inc2"))
    assert bench.do(bus, outcome(log.append([one, wrong]))) == "LostRaceError"
    assert bench.contents("INCIDENTS") == []
    assert bench.do(bus, appended(bus, "a", "b", expected=0)) == [1, 2]
    assert bench.do(bus, outcome(appended(bus, "c", "b", expected=2))) == "AlreadyInLogError"
    assert bench.do(bus, outcome(appended(bus, "c", "c", expected=2))) == "AlreadyInLogError"
    assert bench.contents("INCIDENTS") == ["a", "b"]


def test_the_first_message_of_a_batch_that_is_wrong_decides_how_it_fails(bench: Bench) -> None:
    bus = bench.bus()
    bench.do(bus, appended(bus, "a", expected=0))
    log = bus.incidents
    known = Append("inc1", (fact("a", "inc1"),), 1, INC1)
    wrong = Append("inc2", (fact("b", "inc2"),), 5, subjects.incident_filter("inc2"))
    assert bench.do(bus, outcome(log.append([known, wrong]))) == "AlreadyInLogError"
    assert bench.do(bus, outcome(log.append([wrong, known]))) == "LostRaceError"


def test_nothing_to_append_is_nothing_and_too_much_is_refused(bench: Bench) -> None:
    bus = bench.bus()
    assert bench.do(bus, bus.incidents.append([Append("inc1", (), 0, INC1)])) == [()]
    many = tuple(fact(f"m{number}", "inc1") for number in range(1001))
    with pytest.raises(ValueError, match="more than 1000"):
        bench.do(bus, bus.incidents.append([Append("inc1", many, 0, INC1)]))


def test_the_log_of_an_incident_is_read_in_order_from_a_place_on_and_of_one_service(bench: Bench) -> None:
    bus = bench.bus()
    for number in range(3):
        bench.do(bus, appended(bus, f"a{number}", expected=number * 2))
        stop = Append("inc1", (fact(f"b{number}", "inc1", "remediator"),), number * 2 + 1, INC1)
        bench.do(bus, bus.incidents.append([stop]))
    load = bus.incidents.load
    assert [event.sequence for event in bench.do(bus, load("inc1"))] == [1, 2, 3, 4, 5, 6]
    assert [event.sequence for event in bench.do(bus, load("inc1", after=3, service="remediator"))] == [4, 6]
    assert bench.do(bus, load("inc2")) == []


def test_a_long_log_is_read_in_pages(bench: Bench) -> None:
    bus = bench.bus()
    for start in range(0, 1200, 600):
        bench.do(bus, appended(bus, *(f"e{number}" for number in range(start, start + 600)), expected=start))
    assert [event.sequence for event in bench.do(bus, bus.incidents.load("inc1"))] == list(range(1, 1201))


def test_many_messages_are_one_batch_and_where_some_are_known_one_by_one(bench: Bench) -> None:
    bus = bench.bus()
    write = bus.connection.publish_all
    assert bench.do(bus, write([(ALERT, fact("a")), (ALERT, fact("b"))])) == [1, 2]
    assert bench.do(bus, write([(ALERT, fact("c")), (ALERT, fact("a")), (ALERT, fact("d"))])) == [3, 1, 4]
    commands = "tocsin.commands.escalator.note"  # a stream that takes no batches
    assert bench.do(bus, write([(commands, fact("e")), (commands, fact("f"))])) == [1, 2]


def test_a_full_stream_refuses_what_is_new_and_knows_what_is_old(bench: Bench) -> None:
    bus = bench.bus()
    bench.do(bus, appended(bus, "a", expected=0))
    bench.broker.streams["INCIDENTS"].is_full = True
    assert bench.do(bus, outcome(appended(bus, "b", expected=1))) == "BusUnavailableError"
    assert bench.do(bus, outcome(appended(bus, "b", expected=0))) == "LostRaceError"
    assert bench.do(bus, outcome(appended(bus, "a", expected=1))) == "AlreadyInLogError"
    assert bench.do(bus, outcome(appended(bus, "a", "b", expected=1))) == "BusUnavailableError"
    bench.broker.streams["INCIDENTS"].is_full = False
    assert bench.do(bus, appended(bus, "b", expected=1)) == [2]


def test_a_batch_is_torn_where_the_room_ends_within_it_and_nobody_answers(bench: Bench) -> None:
    bus = bench.bus()
    bench.broker.streams["INCIDENTS"].room = 2
    assert bench.do(bus, outcome(appended(bus, "a", "b", "c", expected=0))) == "BusUnavailableError"
    assert bench.elapsed == 5.0
    assert bench.contents("INCIDENTS") == ["a", "b"]
    assert bench.broker.streams["INCIDENTS"].is_full


def test_what_is_too_old_is_gone(bench: Bench) -> None:
    bus = bench.bus()
    bench.write(bus, "a", to="tocsin.metrics.x")
    bench.wait(300)
    bench.write(bus, "b", to="tocsin.metrics.x")
    bench.wait(301)
    assert bench.contents("METRICS") == ["b"]
    assert bench.write(bus, "c", to="tocsin.metrics.x") == [3]


def test_the_last_of_a_subject_is_the_last_that_still_stands(bench: Bench) -> None:
    bus = bench.bus()
    stream = bench.broker.streams["DEADLETTERS"]
    bench.write(bus, "a", "b")
    stream.remove(2)
    assert stream.last_under(LETTERS) == 1
    assert stream.last_under("tocsin.incidents.nobody.>") == 0
    assert stream.at(3) is None


@pytest.mark.parametrize(
    ("filters", "subject", "taken"),
    [
        (("tocsin.incidents.*.escalator.>",), "tocsin.incidents.inc1.escalator.note_added", True),
        (("tocsin.incidents.*.escalator.>",), "tocsin.incidents.inc1.escalator", False),
        (("tocsin.incidents.inc1.>",), "tocsin.incidents.inc2.escalator.note_added", False),
        (("tocsin.incidents.inc1.>", "tocsin.alerts.*"), "tocsin.alerts.7", True),
        (("tocsin.alerts.*",), "tocsin.alerts.7.more", False),
        (("tocsin.alerts.7",), "tocsin.alerts", False),
        ((">",), "tocsin.alerts.7", True),
    ],
)
def test_filters_take_what_nats_would(filters: tuple[str, ...], subject: str, taken: bool) -> None:
    for _ in range(2):  # the second time from what it remembers
        assert Filter.of(filters).takes(subject.split(".")) is taken
