"""100,000 open incidents: their memory, how fast they are read from the log, and whether their deadlines are kept.

One nats-server holds the log of all of them and an armed clock for each. In turn are measured:

- a process that reads the log as the escalator's index does: events a second, and bytes of memory an incident;
- the same events decoded and folded, and only folded, without nats-server;
- an escalator with all this while further deadlines come due, so many a second: how late each is told. The moments
  are those at which nats-server has the events on disk;
- the same after `kill -9` of nats-server and escalator and an outage in which more come due: from the start of the new
  processes until the last one is told, whether the severe ones come first, and how many pages are for one person.

The incidents are made by the core itself, with an escalation that is due at a chosen moment, and other deadlines, hours
later.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import NamedTuple

from bench.figures import Figure, percentile, spread_of
from bench.processes import Stage, processor_seconds, resident_bytes
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.index_file import IndexFile
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import empty
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import Playbook, load
from tocsin_playbook.standing_orders import NO_ORDERS
from tocsin_runtime import Address, Connection, SystemClock
from tocsin_runtime.bus.connection import MAX_BATCH
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.timers import Timers
from tocsin_runtime.garbage import without_collecting
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import Envelope, Event, Labels, Payload, PlaybookRef, caused_by, decode, encode
from tocsin_schemas.events import AlertFired, DeadlineSet, IncidentEscalated, ResponderPaged
from tocsin_schemas.ids import derive_id, fingerprint, incident_id
from tocsin_schemas.subjects import incident_subject

INCIDENTS = 100_000
A_SECOND = 50
"""Deadlines that come due: 100,000 incidents that ask for an update every half hour have 56 a second."""
SECONDS = 20
OVERDUE = 3_000
"""What comes due in an outage of a minute at that rate."""
OUTAGE = 8.0
SAMPLE = 4_000
LIMIT = 180.0
ESCALATE_AFTER = timedelta(hours=4)
OWN = "tocsin.incidents.*.escalator.*"

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: standing}
severities:
  - {name: P0, acknowledge_within: 8h, resolve_within: 24h, update_every: 12h}
  - {name: P1, acknowledge_within: 8h, resolve_within: 24h, update_every: 12h}
group: {by: [service]}
oncall:
  people:
    - {name: ada, contacts: [{channel: slack, address: "#incidents"}]}
    - {name: bob, contacts: [{channel: slack, address: "#incidents"}]}
escalate:
  - severities: [P0, P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 4h, notify: ["person:bob"]}
communicate:
  channels:
    - {name: slack, slack: {token: {env: TOCSIN_SLACK_TOKEN}}}
"""

Said = Sequence[Envelope[Event]]


class Told(NamedTuple):
    """That an incident's next level was told."""

    incident: str
    at: datetime


def measure(share: float = 1.0) -> list[Figure]:
    incidents, overdue = int(INCIDENTS * share), int(OVERDUE * share)
    with TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as name:
        folder, began = Path(name), datetime.now(UTC)
        with Stage(folder, synced=False) as quick:
            book = make_rulebook(quick.push(PLAYBOOK), load(PLAYBOOK).playbook)
            asyncio.run(_stand(quick, book, incidents, began))
        with Stage(folder) as stage:
            figures = [*_read(stage, incidents), *_decoded(book, began)]
            starting = time.monotonic()
            stage.add("escalator")
            figures.append(Figure("escalator: from its first start to ready", time.monotonic() - starting, "s"))
            figures += _on_time(stage, book, share)
            return [*figures, *_after_an_outage(stage, book, overdue)]


# --- what stands ------------------------------------------------------------------------------------------------------


async def _stand(stage: Stage, book: Rulebook, incidents: int, now: datetime) -> None:
    """So many open incidents in the log, each with the clock of its escalation, hours from now."""
    due = (now + timedelta(hours=1) + ESCALATE_AFTER * 0.5 * number / incidents for number in range(incidents))
    await _write(stage, (_opened(book, f"standing{number}", "P1", at) for number, at in enumerate(due)))


def _opened(book: Rulebook, service: str, severity: str, due_at: datetime) -> Said:
    """All that is said when an incident is opened so that its escalation is due at this moment."""
    at = due_at - ESCALATE_AFTER
    labels = Labels(alertname="RequestsFail", service=service, host=f"{service}.example.org", region="eu-central-1")
    print_ = fingerprint(labels)
    alert = AlertFired(
        fingerprint=print_,
        episode=derive_id("episode", print_),
        rule="RequestsFail",
        labels=labels,
        source="bench",
        severity=severity,
        summary="one in twenty requests fails",
        starts_at=at,
    )
    group = group_of(alert, book)
    incident = incident_id(group.key, 0)
    events = decide_alert_fired(empty(incident), alert, Slot(group, 0, incident), book, at)
    cause = derive_id("alert", print_)
    return [
        caused_by(cause, position, "escalator", incident, at, event, together=len(events))
        for position, event in enumerate(events)
    ]


async def _write(stage: Stage, incidents: Iterable[Said]) -> None:
    """Into the log, in batches; then arm the clocks of their escalations."""
    connection = await stage.connect()
    try:
        timers = Timers(connection, "escalator")
        several = iter(incidents)
        while some := list(islice(several, MAX_BATCH // 8)):
            events = [event for said in some for event in said]
            await connection.publish_all([(incident_subject(each.incident, type(each.data)), each) for each in events])
            await asyncio.gather(
                *(timers.arm(event.incident, set_.deadline, set_.due_at) for event, set_ in _clocks(events))
            )
    finally:
        await connection.close()


def _clocks(events: Said) -> Iterator[tuple[Envelope[Event], DeadlineSet]]:
    for event in events:
        if isinstance(event.data, DeadlineSet) and event.data.level is not None:
            yield event, event.data


# --- memory and reading ---------------------------------------------------------------------------------------------


def _read(stage: Stage, incidents: int) -> list[Figure]:
    command = [sys.executable, "-m", "bench.standing", stage.nats.url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    read = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))  # the others are its log
    if read["incidents"] != incidents:
        raise RuntimeError(f"{read['incidents']} incidents were read, of {incidents}")
    events = read["events"]
    return [
        spread_of(
            f"events a second read from nats-server into the index ({events:,})",
            read["rates"],
            "/s",
            target=50_000.0,
            side="at least",
        ),
        Figure("the same, all together", events / read["seconds"], "/s"),
        Figure("the same, a processor second of the reader", events / read["cpu"], "/s"),
        Figure("growth of resident memory, an open incident", read["grown"] / incidents, "B", target=4096.0),
        Figure("objects of the index, an open incident", read["objects"] / incidents, "B", target=4096.0),
        Figure("the index written to disk", read["kept"], "s"),
        Figure("the index taken up from disk", read["taken_up"], "s"),
        Figure("events a second for which that stands", events / read["taken_up"], "/s"),
    ]


async def _follow(url: str) -> None:
    """Read the log into an index, and print what that took."""
    connection = Connection(Address(url), "bench")
    await connection.open()
    follower = partial(Follower, connection, service="escalator")
    playbooks, orders = Playbooks(follower), Orders(follower)
    await playbooks.start()
    await playbooks.caught_up.wait()
    index, seen = IncidentIndex(Explanations(Rulebooks(playbooks, orders))), _Seen(0, time.perf_counter(), [])

    async def on_events(events: Sequence[Envelope[Payload]]) -> None:
        await index.on_events(events)
        seen.add(len(events))

    reading = follower("INCIDENTS", (OWN,), on_events)
    gc.collect()
    before, cpu, began = resident_bytes(os.getpid()), time.process_time(), time.perf_counter()
    with without_collecting():  # as a service starts
        await reading.start()
        await reading.caught_up.wait()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    gc.collect()
    grown, objects = resident_bytes(os.getpid()) - before, _size_of(index)
    print(
        json.dumps(
            {
                "incidents": len(index.incidents()),
                "events": seen.events,
                "seconds": seconds,
                "cpu": used,
                "rates": seen.rates or [seen.events / seconds],
                "grown": grown,
                "objects": objects,
                **await _kept(index, Rulebooks(playbooks, orders), connection),
            }
        )
    )
    await reading.stop()
    await playbooks.stop()
    await connection.close()


async def _kept(index: IncidentIndex, rulebooks: Rulebooks, connection: Connection) -> dict[str, float]:
    """Seconds in which the index is written to disk, and is taken up again."""
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        log, clock = IncidentLog(connection), SystemClock()
        began = time.perf_counter()
        await IndexFile(Path(folder), index, log, OWN, clock).save()
        written = time.perf_counter()
        again = IncidentIndex(Explanations(rulebooks))
        with without_collecting():
            await IndexFile(Path(folder), again, log, OWN, clock).resume()
        taken_up = time.perf_counter()
    if again.standing() != index.standing():
        raise RuntimeError("what was taken up is not what was kept")
    return {"kept": written - began, "taken_up": taken_up - written}


@dataclass(slots=True)
class _Seen:
    """Events so far, and how fast each ten thousand of them came."""

    events: int
    since: float
    rates: list[float]
    counted: int = 0

    def add(self, more: int) -> None:
        self.events += more
        if self.events - self.counted >= 10_000:
            now = time.perf_counter()
            self.rates.append((self.events - self.counted) / (now - self.since))
            self.counted, self.since = self.events, now


def _size_of(root: object) -> int:
    """Bytes of everything that hangs on this and is no part of the program."""
    seen: set[int] = set()
    found, total = [root], 0
    while found:
        each = found.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | Playbooks | Orders):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        found.extend(gc.get_referents(each))
    return total


def _decoded(book: Rulebook, now: datetime) -> list[Figure]:
    """Without nats-server: what decoding and folding take by themselves, of as many events as a sample has."""
    said = [event for n in range(SAMPLE) for event in _opened(book, f"sample{n}", "P1", now)]
    written = [encode(event) for event in said]
    decoding, folding = [], []
    for _ in range(5):
        began = time.process_time()
        events = [decode(headers, body, sequence=at) for at, (headers, body) in enumerate(written, 1)]
        decoded = time.process_time()
        index = IncidentIndex(Explanations(Rulebooks(_Published(), _NoOrders())))
        asyncio.run(index.on_events(events))
        folding.append(len(said) / (time.process_time() - decoded))
        decoding.append(len(said) / (decoded - began))
    return [
        spread_of("events a processor second, only decoded", decoding, "/s"),
        spread_of("events a processor second, only folded into the index", folding, "/s"),
    ]


class _Published(Playbooks):
    """One playbook, without nats-server."""

    def __init__(self) -> None:
        self._playbook = load(PLAYBOOK).playbook

    def get(self, ref: PlaybookRef) -> Playbook:
        return self._playbook


class _NoOrders(Orders):
    """Nobody has ordered anything."""

    def __init__(self) -> None:
        self._standing = NO_ORDERS


# --- deadlines --------------------------------------------------------------------------------------------------------


def _on_time(stage: Stage, book: Rulebook, share: float) -> list[Figure]:
    """Further incidents, whose deadlines come due one after another while everything runs."""
    rate = max(1, int(A_SECOND * share))
    number = rate * SECONDS
    begin = datetime.now(UTC) + timedelta(seconds=3 + number / 150)
    due = [begin + timedelta(seconds=each / rate) for each in range(number)]
    said = [_opened(book, f"soon{each}", "P1", at) for each, at in enumerate(due)]
    due_at = {events[0].incident: at for events, at in zip(said, due, strict=True)}
    before = processor_seconds(stage.services)
    told = asyncio.run(_write_and_wait(stage, said, due_at))
    used = processor_seconds(stage.services) - before
    late = sorted((each.at - due_at[each.incident]).total_seconds() for each in told)
    return [
        Figure(f"deadline told late, 99th percentile, {rate} a second", percentile(late, 0.99), "s", target=1.0),
        Figure("deadline told late, median", percentile(late, 0.5), "s", low=late[0], high=late[-1]),
        Figure("processor of the escalator, a deadline", used / number * 1000, "CPU ms"),
    ]


def _after_an_outage(stage: Stage, book: Rulebook, number: int) -> list[Figure]:
    """Everything is killed, deadlines pass, everything is started again."""
    begin = datetime.now(UTC) + timedelta(seconds=3 + number / 150)
    due = [begin + timedelta(seconds=OUTAGE * each / number) for each in range(number)]
    severities = {f"missed{each}": "P0" if each % 4 == 3 else "P1" for each in range(number)}
    said = [_opened(book, name, severities[name], at) for name, at in zip(severities, due, strict=True)]
    due_at = {events[0].incident: at for events, at in zip(said, due, strict=True)}
    severe = {events[0].incident for events, name in zip(said, severities, strict=True) if severities[name] == "P0"}
    asyncio.run(_write(stage, said))
    for process in stage.processes:
        process.kill()
    time.sleep(max(0.0, (due[-1] - datetime.now(UTC)).total_seconds() + 1))
    started = datetime.now(UTC)
    stage.nats.start()
    recovered = datetime.now(UTC)
    for service in stage.services:
        service.start()
    ready = datetime.now(UTC)
    told = asyncio.run(_wait(stage, due_at))
    told = [each for each in told if each.at >= started]
    ends = max(each.at for each in told)
    last_severe = max((each.at for each in told if each.incident in severe), default=started)
    before = sum(each.at < last_severe for each in told if each.incident not in severe)
    pages = asyncio.run(_pages(stage, started))
    return [
        Figure(
            f"{len(told):,} overdue told after kill -9, from the start of the processes",
            (ends - started).total_seconds(),
            "s",
            target=5.0,
        ),
        Figure("of that, until nats-server was ready", (recovered - started).total_seconds(), "s"),
        Figure("of that, until the escalator was ready", (ready - started).total_seconds(), "s"),
        Figure("the first of them told after", (min(each.at for each in told) - started).total_seconds(), "s"),
        Figure(
            "less severe ones told before the last severe one",
            before / max(1, len(told) - len(severe)),
            "share",
            target=0.0,
        ),
        Figure("most pages for one incident and person", max(pages.values(), default=0), "", target=1.0),
        Figure("pages for one person", sum(pages.values()), ""),
    ]


async def _write_and_wait(stage: Stage, said: Sequence[Said], due_at: dict[str, datetime]) -> list[Told]:
    await _write(stage, said)
    return await _wait(stage, due_at)


async def _wait(stage: Stage, due_at: dict[str, datetime]) -> list[Told]:
    """Until all of these were told. Raises RuntimeError when that takes too long."""
    ends = time.monotonic() + LIMIT
    while True:
        told = {each.incident: each for each in reversed(await _told(stage)) if each.incident in due_at}
        if len(told) == len(due_at):
            return list(told.values())
        if time.monotonic() > ends:
            raise RuntimeError(f"{len(told)} of {len(due_at)} deadlines were told")
        await asyncio.sleep(2)


async def _told(stage: Stage) -> list[Told]:
    return [Told(incident, at) for incident, at, _ in await _log_of(stage, IncidentEscalated)]


async def _pages(stage: Stage, since: datetime) -> Counter[tuple[str, str]]:
    paged = await _log_of(stage, ResponderPaged)
    return Counter((incident, json.loads(body)["target"]) for incident, at, body in paged if at >= since)


async def _log_of(stage: Stage, event: type[Event]) -> list[tuple[str, datetime, bytes]]:
    """By incident: when nats-server had it on disk, and the data."""
    connection = await stage.connect()
    try:
        jetstream = connection.client.jetstream(timeout=60)
        subject = f"tocsin.incidents.*.{event.OWNER}.{event.SLUG}"
        subscription = await jetstream.subscribe(
            subject, ordered_consumer=True, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        left = (await subscription.consumer_info()).num_pending or 0
        found: list[tuple[str, datetime, bytes]] = []
        while len(found) < left:
            message = await subscription.next_msg(timeout=60)
            found.append((message.subject.split(".")[2], message.metadata.timestamp, message.data))
        await subscription.unsubscribe()
    finally:
        await connection.close()
    return found


if __name__ == "__main__":
    asyncio.run(_follow(sys.argv[1]))
