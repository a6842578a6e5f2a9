"""Load, decide, append: one decision for each input, whoever else decides at the same time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from runtime_builders import ADA, note

from tocsin_runtime import BusUnavailableError, Connection, Decider, SystemClock, Work
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import ActionProposed, IncidentClosed, NoteAdded
from tocsin_schemas.subjects import service_log_filter


class Texts:
    """A core whose state is the notes so far."""

    def empty(self, incident: str) -> tuple[str, ...]:
        return ()

    def evolve(self, state: tuple[str, ...], event: Envelope[Event]) -> tuple[str, ...]:
        data = event.data
        return (*state, data.text if isinstance(data, NoteAdded) else type(data).__name__)


def decider(connection: Connection, reads: str = "own") -> Decider[tuple[str, ...]]:
    return Decider(IncidentLog(connection), "escalator", Texts(), SystemClock(), reads=reads)  # type: ignore[arg-type]  # as given


def count(state: tuple[str, ...], _: datetime) -> Sequence[Event]:
    """A decision that depends on the state: how many notes there are."""
    return (NoteAdded(text=str(len(state)), by=ADA),)


async def test_a_decision_is_in_the_log_and_in_the_state(connection: Connection) -> None:
    decided = await decider(connection).one("inc1", "cause1", count)
    assert decided.state == ("0",)
    assert await IncidentLog(connection).load("inc1") == list(decided.events)
    assert [event.sequence for event in decided.events] == [1]


async def test_the_same_message_is_decided_on_once(connection: Connection) -> None:
    one = decider(connection)
    await one.one("inc1", "cause1", count)
    again = await one.one("inc1", "cause1", count)
    after_a_crash = await decider(connection).one("inc1", "cause1", count)
    assert again.events == after_a_crash.events == ()
    assert after_a_crash.state == ("0",)


async def test_a_stale_state_is_read_again_and_decided_on_again(connection: Connection) -> None:
    one, other = decider(connection), decider(connection)
    await one.one("inc1", "cause1", count)
    await other.one("inc1", "cause2", count)
    assert (await one.one("inc1", "cause3", count)).state == ("0", "1", "2")


async def test_a_decision_to_do_nothing_is_not_made_on_a_stale_state(connection: Connection) -> None:
    """An append would be refused; doing nothing would be refused by nobody."""
    one, other = decider(connection), decider(connection)
    await one.one("inc1", "cause1", count)
    await other.one("inc1", "cause2", count)

    def only_after_two(state: tuple[str, ...], now: datetime) -> Sequence[Event]:
        return count(state, now) if len(state) == 2 else ()

    assert (await one.one("inc1", "cause3", only_after_two)).state == ("0", "1", "2")


@pytest.mark.parametrize("reads", ["own", "all"])
async def test_racing_replicas_make_one_order_out_of_all_decisions(connection: Connection, reads: str) -> None:
    replicas = [decider(connection, reads) for _ in range(4)]
    await asyncio.gather(*(r.one("inc1", f"cause{i}-{n}", count) for i, r in enumerate(replicas) for n in range(5)))
    texts = [event.data.text for event in await IncidentLog(connection).load("inc1")]  # type: ignore[attr-defined]  # its own
    assert texts == [str(n) for n in range(20)]


async def test_racing_replicas_decide_on_the_same_message_once(connection: Connection) -> None:
    replicas = [decider(connection) for _ in range(4)]
    decided = await asyncio.gather(*(r.one("inc1", "cause1", count) for r in replicas))
    assert len(await IncidentLog(connection).load("inc1")) == 1
    assert {d.state for d in decided} == {("0",)}


async def test_many_inputs_are_decided_on_in_order_and_appended_at_once(connection: Connection) -> None:
    one = decider(connection)

    async def decide(work: Work[tuple[str, ...]], number: int) -> None:
        await work.decide(f"inc{number % 3}", f"cause{number}", count)

    states = await one.many(range(30), decide)
    assert {name: known.state for name, known in states.items()} == {
        f"inc{n}": tuple(str(k) for k in range(10)) for n in range(3)
    }
    headers = await connection.client.jetstream().get_msg("INCIDENTS", seq=1, direct=True)
    assert "Nats-Batch-Id" in (headers.headers or {})


async def test_a_batch_that_lost_a_race_is_decided_again(connection: Connection) -> None:
    one, other = decider(connection), decider(connection)
    await one.one("inc1", "cause0", count)
    await other.one("inc1", "cause1", count)

    async def decide(work: Work[tuple[str, ...]], number: int) -> None:
        await work.decide(f"inc{number}", f"cause-b{number}", count)

    states = await one.many([0, 1, 2], decide)
    assert {name: known.state for name, known in states.items()} == {
        "inc0": ("0",), "inc1": ("0", "1", "2"), "inc2": ("0",),
    }  # fmt: skip


async def test_a_batch_that_lost_a_race_goes_by_halves_and_reads_only_what_it_missed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas that share the alerts of a storm lose a race in nearly every batch."""
    one, other = decider(connection), decider(connection)
    for number in range(8):
        await one.one(f"inc{number}", f"cause{number}", count)
    await other.one("inc5", "cause-other", count)
    sizes, reads = [], []
    append, load = one.log.append, one.log.load

    async def seen_append(appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        sizes.append(len(appends))
        return await append(appends)

    async def seen_load(incident: str, *, after: int = 0, service: str | None = None) -> list[Envelope[Event]]:
        events = await load(incident, after=after, service=service)
        reads.append((incident, len(events)))
        return events

    monkeypatch.setattr(one.log, "append", seen_append)
    monkeypatch.setattr(one.log, "load", seen_load)

    async def decide(work: Work[tuple[str, ...]], number: int) -> None:
        await work.decide(f"inc{number}", f"cause-b{number}", count)

    states = await one.many(range(8), decide)
    assert sizes == [8, 4, 4]
    assert sorted(reads) == [(f"inc{number}", int(number == 5)) for number in range(8)]
    assert {name: known.state for name, known in states.items()} == {
        f"inc{number}": ("0", "1", "2") if number == 5 else ("0", "1") for number in range(8)
    }


async def test_a_batch_is_decided_again_where_the_log_has_lost_its_end(connection: Connection) -> None:
    """What was remembered is not in the log any more: reading on would not show it, reading anew does."""
    one = decider(connection)
    for number in range(4):
        await one.one(f"inc{number}", f"cause{number}", count)
    for number in range(4):
        known, _ = await one.load(f"inc{number}")
        one.keep(f"inc{number}", replace(known, state=("0", "lost"), last=known.last + 50, own_last=known.last + 50))

    async def decide(work: Work[tuple[str, ...]], number: int) -> None:
        await work.decide(f"inc{number}", f"cause-b{number}", count)

    states = await one.many(range(4), decide)
    assert {name: known.state for name, known in states.items()} == {f"inc{n}": ("0", "1") for n in range(4)}


async def test_more_decisions_than_one_batch_takes_go_in_several(connection: Connection) -> None:
    async def decide(work: Work[tuple[str, ...]], number: int) -> None:
        await work.decide(f"inc{number}", f"cause{number}", lambda s, now: (*count(s, now), *count(s, now)))

    await decider(connection).many(range(700), decide)
    info = await connection.request("$JS.API.STREAM.INFO.INCIDENTS")
    assert info["state"]["messages"] == 1400


async def test_a_state_of_everybodys_events_keeps_the_order_of_the_log(connection: Connection) -> None:
    one = decider(connection, "all")
    await one.one("inc1", "cause1", count)
    foreign = note("x").data
    proposed = ActionProposed(action="a", runbook="r", step="s", description="d", target="t")
    from tocsin_schemas import caused_by

    event = caused_by("other", 0, "remediator", "inc1", SystemClock().now(), proposed)
    await IncidentLog(connection).append([Append("inc1", (event,), 0, service_log_filter("inc1", "remediator"))])
    assert foreign is not None
    assert (await one.one("inc1", "cause2", count)).state == ("0", "ActionProposed", "2")
    assert (await one.one("inc1", "cause3", count)).state == ("0", "ActionProposed", "2", "3")


async def test_an_append_that_fails_leaves_nothing_behind_for_who_reads_at_that_moment(connection: Connection) -> None:
    """Both have the incident from memory; what one of them decided and could not write was not decided."""
    one = decider(connection)
    await one.one("inc1", "cause1", count)
    (shared, _) = await one.load("inc1")

    class Gone(IncidentLog):
        async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
            raise BusUnavailableError("gone")

    log, one.log = one.log, Gone(connection)
    with pytest.raises(BusUnavailableError):
        await one.one("inc1", "cause2", count)
    one.log = log
    one.keep("inc1", shared)  # the other one was at work with it, and keeps it now
    assert (await one.one("inc1", "cause2", count)).state == ("0", "1")


async def test_memory_will_do_for_a_moment_if_it_has_the_message_and_nothing_was_written_since(
    connection: Connection,
) -> None:
    one, other = decider(connection, "all"), decider(connection, "all")
    (first,) = (await other.one("inc1", "cause1", count)).events
    assert (await one.load("inc1"))[0].state == ("0",)
    (second,) = (await other.one("inc1", "cause2", count)).events

    async def seen(sequence: int, within: float) -> tuple[tuple[str, ...], bool]:
        known, fresh = await one.load("inc1", seen=sequence, within=within)
        return known.state, fresh

    assert await seen(first.sequence, 60) == (("0",), False)
    assert await seen(second.sequence, 60) == (("0", "1"), True)  # memory did not have it
    await other.one("inc1", "cause3", count)
    assert await seen(second.sequence, 0) == (("0", "1", "2"), True)  # memory is too old
    await one.one("inc1", "cause4", count)
    assert await seen(second.sequence, 60) == (("0", "1", "2", "3"), True)  # it wrote: somebody may have, too


async def test_a_guard_on_all_fails_when_another_service_wrote_and_decides_again(connection: Connection) -> None:
    one = decider(connection, "all")
    await one.one("inc1", "cause1", count)
    looked: list[tuple[str, ...]] = []
    from tocsin_schemas import caused_by

    proposed = ActionProposed(action="a", runbook="r", step="s", description="d", target="t")
    event = caused_by("other", 0, "remediator", "inc1", SystemClock().now(), proposed)

    async def meanwhile() -> None:
        await IncidentLog(connection).append([Append("inc1", (event,), 0, service_log_filter("inc1", "remediator"))])

    async def decide(work: Work[tuple[str, ...]], _: None) -> None:
        await work.known("inc1")
        if not looked:
            await meanwhile()

        def note_what_is_seen(state: tuple[str, ...], now: datetime) -> Sequence[Event]:
            looked.append(state)
            return count(state, now)

        await work.decide("inc1", "cause2", note_what_is_seen, guard="all")

    await one.many([None], decide)
    assert looked == [("0",), ("0", "ActionProposed")]


async def test_an_answer_that_was_lost_after_the_append_changes_nothing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = decider(connection)
    append = one.log.append

    async def lossy(appends: Sequence[Append]) -> object:
        await append(appends)
        raise BusUnavailableError("the answer is lost")

    monkeypatch.setattr(one.log, "append", lossy)
    with pytest.raises(BusUnavailableError):
        await one.one("inc1", "cause1", count)
    monkeypatch.undo()
    assert (await one.one("inc1", "cause1", count)).events == ()
    assert len(await IncidentLog(connection).load("inc1")) == 1


# --- a disk that fills up within a batch ------------------------------------------------------------------------------


def three(state: tuple[str, ...], _: datetime) -> Sequence[Event]:
    return tuple(NoteAdded(text=f"{len(state)}{name}", by=ADA) for name in "abc")


async def tear(connection: Connection, written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide `three`, of which the server writes so many events and answers nothing."""
    one = decider(connection)
    append = one.log.append

    async def torn(appends: Sequence[Append]) -> object:
        [whole] = appends
        await append([replace(whole, events=whole.events[:written])])
        raise BusUnavailableError("no answer")

    monkeypatch.setattr(one.log, "append", torn)
    with pytest.raises(BusUnavailableError):
        await one.one("inc1", "cause2", three)


@pytest.mark.parametrize("reads", ["own", "all"])
@pytest.mark.parametrize("written", [1, 2])
async def test_a_decision_of_which_a_part_was_written_is_completed_as_it_was_made(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, written: int, reads: str
) -> None:
    await decider(connection).one("inc1", "cause1", count)
    await tear(connection, written, monkeypatch)
    other = decider(connection, reads)
    await other.one("inc1", "cause3", count)
    rest = await other.one("inc1", "cause2", three)
    assert [event.data.text for event in rest.events] == ["1a", "1b", "1c"][written:]
    assert rest.state == ("0", *["1a", "1b", "1c"][:written], str(1 + written), *["1a", "1b", "1c"][written:])
    for again in (other, decider(connection, reads)):
        assert (await again.one("inc1", "cause2", three)).events == ()
    log = await IncidentLog(connection).load("inc1")
    assert {event.together for event in log if event.cause == "cause2"} == {3}
    assert len({event.time for event in log if event.cause == "cause2"}) == 1


async def test_what_is_to_be_done_is_seen_as_before_a_decision_that_was_written_in_part(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decider(connection).one("inc1", "cause1", count)
    await tear(connection, 2, monkeypatch)
    other = decider(connection)
    known, _ = await other.load("inc1")
    assert (known.settled, known.state) == (("0",), ("0", "1a", "1b"))
    await other.one("inc1", "cause2", three)
    known, _ = await other.load("inc1")
    assert known.settled == known.state


async def test_a_newer_version_that_decides_otherwise_adds_what_follows_now(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tear(connection, 1, monkeypatch)

    def otherwise(state: tuple[str, ...], now: datetime) -> Sequence[Event]:
        return (IncidentClosed(), *count(state, now)) if len(state) < 3 else ()

    other = decider(connection)
    assert (await other.one("inc1", "cause2", otherwise)).state == ("0a", "IncidentClosed", "1")
    assert (await other.one("inc1", "cause2", otherwise)).events == ()


async def test_a_decision_that_is_half_in_the_log_is_found_where_memory_had_nothing_to_decide(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = decider(connection)
    await other.one("inc1", "cause1", count)
    await tear(connection, 2, monkeypatch)
    seen: list[tuple[str, ...]] = []

    def nothing_at_first(state: tuple[str, ...], now: datetime) -> Sequence[Event]:
        seen.append(state)
        return three(state, now) if len(seen) > 1 else ()

    rest = await other.one("inc1", "cause2", nothing_at_first)
    assert seen == [("0",), ("0",)]
    assert [event.data.text for event in rest.events] == ["1c"]


async def test_what_does_not_fit_into_one_append_is_decided_by_halves(connection: Connection) -> None:
    one = decider(connection)

    async def decide(work: Work[tuple[str, ...]], given: tuple[str, int]) -> None:
        incident, notes = given
        await work.decide(incident, "cause", lambda _, __: [NoteAdded(text="x", by=ADA)] * notes)

    changed = await one.many([("inc1", 400), ("inc2", 700), ("inc3", 1)], decide)
    assert {incident: len(known.state) for incident, known in changed.items()} == {"inc1": 400, "inc2": 700, "inc3": 1}
