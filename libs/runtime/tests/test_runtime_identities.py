"""Who may say what: each service does its work with its own identity, and everything else is refused.

On a real nats-server with the users of the table. What is allowed is done; what is forbidden is tried.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from runtime_builders import NOW, note, playbook

from tocsin_runtime import Address, Connection, Decider, Delivery, RefusedError, SystemClock
from tocsin_runtime.asking import Asking
from tocsin_runtime.bus.consume import Consumer
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.provision import assert_promises, ensure_consumer, ensure_streams, provision
from tocsin_runtime.bus.timers import Timers
from tocsin_runtime.identities import IDENTITIES, permissions, users
from tocsin_runtime.playbooks import push
from tocsin_runtime.topology import CONSUMERS, STREAMS, ConsumerSpec, consumers_of
from tocsin_schemas import COMMANDS, INCIDENT_EVENTS, Command, DeadLettered, Envelope, Event, Payload, caused_by, decode
from tocsin_schemas.commands import (
    Acknowledge,
    AcknowledgeAlert,
    AddNote,
    AddResponder,
    ApproveAction,
    AssignRole,
    Decline,
    Escalate,
    LiftOverride,
    LiftSilence,
    Link,
    Merge,
    OverrideOnCall,
    ReleaseSeverity,
    Reopen,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas.events import ORDER_EVENTS, SilenceLifted
from tocsin_schemas.subjects import (
    ALERTS,
    DEADLETTERS,
    INCIDENTS,
    ORDERS,
    PLAYBOOKS,
    alert_subject,
    command_subject,
    deadletter_subject,
    incident_subject,
    metrics_subject,
    order_subject,
    playbook_subject,
    timer_at_subject,
    timer_due_subject,
)
from tocsin_testkit.nats import NatsServer

SERVICES = ("detector", "escalator", "remediator", "notifier", "recorder")
PEOPLE = ("viewer", "responder", "commander", "admin")
DOORS = ("detector", "notifier", "recorder")
"""Services through which people come."""
ALERTING: tuple[type[Command], ...] = (AcknowledgeAlert, Silence, LiftSilence)
PRESSED: tuple[type[Command], ...] = (Acknowledge, Decline, Escalate, ApproveAction)
"""What comes where other systems send their alerts."""
RESPONDERS: tuple[type[Command], ...] = (
    *ALERTING, Acknowledge, TakeOver, Decline, AddNote, Update, StateImpact, Escalate, AddResponder, SetSeverity,
    ReleaseSeverity, Resolve, Reopen, Split, Link, AssignRole, OverrideOnCall, LiftOverride, ApproveAction,
    StopAutomation,
)  # fmt: skip
COMMANDERS: tuple[type[Command], ...] = (Merge, RunAction)
PASSWORDS = {name: f"secret-{name}" for name in IDENTITIES}

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    **{
        f"events of the {service}": tuple(
            incident_subject("inc1", event) for event in INCIDENT_EVENTS if service == event.OWNER
        )
        for service in ("escalator", "remediator", "notifier", "recorder")
    },
    "standing orders": tuple(order_subject(event) for event in ORDER_EVENTS),
    "alerts": (alert_subject("CheckoutErrors"),),
    "samples": (metrics_subject("shop"),),
    "commands about alerts": tuple(command_subject(command) for command in ALERTING),
    "commands by buttons": tuple(command_subject(command) for command in PRESSED),
    "commands of responders": tuple(
        command_subject(command) for command in RESPONDERS if command not in ALERTING + PRESSED
    ),
    "commands of commanders": tuple(command_subject(command) for command in COMMANDERS),
    "playbooks": (playbook_subject("shop"),),
    "timers of the escalator": (timer_at_subject("escalator", "inc1", "ack"),),
    "timers of others": (timer_at_subject("remediator", "inc1", "ack"),),
    "rings": tuple(timer_due_subject(service, "inc1", "ack") for service in SERVICES),
    **{f"dead letters of the {name}": (deadletter_subject(name),) for name in IDENTITIES},
    "anything else": ("tocsin.nowhere", "tocsin.incidents.inc1.escalator", "foreign", "_INBOX_escalator.x", "_INBOX.x"),
    "deleting streams": tuple(f"$JS.API.STREAM.{verb}.{s.name}" for s in STREAMS for verb in ("DELETE", "UPDATE")),
    "deleting messages": tuple(f"$JS.API.STREAM.MSG.DELETE.{s.name}" for s in STREAMS),
    "purging the log": tuple(f"$JS.API.STREAM.PURGE.{name}" for name in ("INCIDENTS", "PLAYBOOKS", "ORDERS")),
    "purging timers": ("$JS.API.STREAM.PURGE.TIMERS",),
    "deleting consumers": tuple(f"$JS.API.CONSUMER.DELETE.{c.stream}.{c.name}" for c in CONSUMERS),
    "making streams of any name": ("$JS.API.STREAM.CREATE.OTHER",),
    **{
        f"{what} of the {service}": tuple(
            f"$JS.{verb}.{spec.stream}.{spec.name}{more}" for spec in consumers_of(service)
        )
        for service in ("escalator", "remediator", "notifier")
        for what, verb, more in (
            ("work", "API.CONSUMER.MSG.NEXT", ""),
            ("consumers", "API.CONSUMER.CREATE", ""),
            ("acknowledgements", "ACK", ".1.1.1.1.0"),
        )
    },
    "reading the log": ("$JS.API.DIRECT.GET.INCIDENTS",),
    "reading to record": tuple(
        f"$JS.API.DIRECT.GET.{name}" for name in ("ALERTS", "COMMANDS", "TIMERS", "PLAYBOOKS", "ORDERS")
    ),
    "reading dead letters": ("$JS.API.DIRECT.GET.DEADLETTERS",),
    "reading samples": ("$JS.API.DIRECT.GET.METRICS",),
    "reading otherwise": tuple(
        f"$JS.API.{what}"
        for stream in STREAMS
        for what in (f"STREAM.MSG.GET.{stream.name}", f"DIRECT.GET.{stream.name}.tocsin.x")
    ),
    "following a work queue": ("$JS.API.CONSUMER.CREATE.COMMANDS.mine", "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.mine"),
}

ALL_COMMANDS = {"commands about alerts", "commands by buttons", "commands of responders", "commands of commanders"}
ALLOWED: Mapping[str, set[str]] = {
    "detector": {"alerts", "commands about alerts"},
    "escalator": {
        "events of the escalator",
        "standing orders",
        "timers of the escalator",
        "purging timers",
        "reading the log",
    },
    "remediator": {"events of the remediator", "reading the log"},
    "notifier": {"events of the notifier", "commands by buttons", "reading the log", "reading dead letters"},
    "recorder": {"events of the recorder", *ALL_COMMANDS, "reading the log", "reading dead letters"},
    "operator": {*ALL_COMMANDS, "playbooks", "alerts", "reading the log", "reading dead letters", "reading to record"},
    "source": {"alerts", "samples"},
    "viewer": {"reading the log", "reading dead letters"},
    "responder": {
        "commands about alerts",
        "commands by buttons",
        "commands of responders",
        "reading the log",
        "reading dead letters",
    },
    "commander": {*ALL_COMMANDS, "reading the log", "reading dead letters"},
    "admin": {*ALL_COMMANDS, "playbooks", "alerts", "reading the log", "reading dead letters", "reading to record"},
}


def may(identity: str, what: str) -> bool:
    own = {f"{kind} of the {identity}" for kind in ("dead letters", "work", "consumers", "acknowledgements")}
    return what in ALLOWED[identity] | (set() if identity in PEOPLE else own)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """Its users are those of the table; `maker` is the test's own, to see and to undo everything."""
    maker = {"user": "maker", "password": "secret-maker"}
    with NatsServer(tmp_path_factory.mktemp("identities"), users=[*users(PASSWORDS), maker]) as running:
        yield running


@asynccontextmanager
async def connected_as(server: NatsServer, identity: str) -> AsyncIterator[Connection]:
    connection = Connection(Address(server.url, identity, f"secret-{identity}"), identity)
    await asyncio.wait_for(connection.open(), 10)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def everything(server: NatsServer) -> AsyncIterator[Connection]:
    """All streams and consumers exist; the answer is the test's own connection."""
    async with connected_as(server, "maker") as maker:
        await ensure_streams(maker)
        for spec in CONSUMERS:
            await ensure_consumer(maker, spec)
        yield maker
        for stream in STREAMS:
            await maker.request(f"$JS.API.STREAM.DELETE.{stream.name}")


@asynccontextmanager
async def hearing_refusals(server: NatsServer, identity: str) -> AsyncIterator[tuple[Client, set[str]]]:
    """A bare client and the subjects that the server has refused to it, all of them once the block has ended.

    A flush of nats-py may overtake what was sent before it. So a last subject that nobody may use is sent, and
    its refusal awaited: the server answers in order.
    """
    refused: set[str] = set()
    last = asyncio.Event()

    async def hear(error: Exception) -> None:
        assert "permissions violation" in str(error).lower()
        subject = str(error).split('"')[1]
        last.set() if subject == "last" else refused.add(subject)

    client = await nats.connect(server.url, user=identity, password=PASSWORDS[identity], error_cb=hear)
    try:
        yield client, refused
        await client.publish("last", b"")
        await asyncio.wait_for(last.wait(), 10)
    finally:
        await client.close()


# --- the matrix -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.usefixtures("everything")
async def test_an_identity_says_what_is_its_own_and_nothing_else(server: NatsServer, identity: str) -> None:
    async with hearing_refusals(server, identity) as (client, refused):
        for subject in (subject for each in SUBJECTS.values() for subject in each):
            await client.publish(subject, b"nothing")
    found = {what: {subject.lower() not in refused for subject in each} for what, each in SUBJECTS.items()}
    assert found == {what: {may(identity, what)} for what in SUBJECTS}


def test_the_matrix_knows_every_identity_and_every_stream() -> None:
    assert set(ALLOWED) == set(IDENTITIES)
    assert {what for each in ALLOWED.values() for what in each} <= set(SUBJECTS)


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_nobody_listens_to_others(server: NatsServer, identity: str) -> None:
    others = {">", "tocsin.>", INCIDENTS, "_INBOX.>", "_INBOX_maker.>", "$JS.>", "$SYS.>"}
    async with hearing_refusals(server, identity) as (client, refused):
        for subject in others:
            await client.subscribe(subject)
    assert refused == {subject.lower() for subject in others}


def test_only_people_and_those_through_whom_they_come_give_commands_and_the_matrix_knows_each() -> None:
    for identity in set(IDENTITIES) - {"operator", *PEOPLE, *DOORS}:
        assert not any(subject.startswith("tocsin.commands") for subject in permissions(identity)["publish"]["allow"])
    assert {*RESPONDERS, *COMMANDERS} == set(COMMANDS.values())
    assert len(RESPONDERS) + len(COMMANDERS) == len(COMMANDS)


@pytest.mark.parametrize("identity", [*PEOPLE, *DOORS])
async def test_each_command_is_taken_from_who_may_give_it_and_refused_at_once_to_others(
    server: NatsServer, everything: Connection, identity: str
) -> None:
    """Refused is an answer, not a silence: nothing waits for one that never comes."""
    fewer = {"viewer": (), "detector": ALERTING, "notifier": PRESSED, "responder": RESPONDERS}
    allowed = fewer.get(identity, (*RESPONDERS, *COMMANDERS))
    taken = []
    async with connected_as(server, identity) as connection:
        for command in COMMANDS.values():
            try:
                await connection.publish_raw(command_subject(command), b"{}", {})
            except NotAllowedError:
                continue
            taken.append(command)
        assert connection.is_connected
    assert set(taken) == set(allowed)
    assert (await everything.request("$JS.API.STREAM.INFO.COMMANDS"))["state"]["messages"] == len(allowed)


@pytest.mark.usefixtures("everything")
async def test_a_command_on_the_subject_of_another_is_parked_and_not_carried_out(server: NatsServer) -> None:
    """A responder may write notes. A merge that is sent as a note is no note."""
    seen: list[str] = []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        seen.extend(delivery.envelope.id for delivery in batch)

    by = note("a").data.by
    merge = caused_by("c", 0, "cli", "inc1", NOW, Merge(incident="inc1", into="inc2", by=by))
    honest = caused_by("d", 0, "cli", "inc1", NOW, AddNote(incident="inc1", text="looking", by=by))
    async with connected_as(server, "responder") as responder:
        for envelope in (merge, honest):
            await responder.publish(command_subject(AddNote), envelope)
    async with connected_as(server, "escalator") as connection:
        consumer = Consumer(connection, next(c for c in CONSUMERS if c.name == "escalator-commands"), handle)
        await consumer.start()
        async with asyncio.timeout(10):
            while not (seen and await connection.last_sequence("DEADLETTERS")):
                await asyncio.sleep(0.02)
        await consumer.stop()
    assert seen == [honest.id]
    async with connected_as(server, "maker") as maker:
        parked = await maker.client.jetstream().get_msg("DEADLETTERS", 1)
    letter = decode(parked.headers, parked.data or b"").data
    assert isinstance(letter, DeadLettered)
    assert letter.headers["ce-id"] == merge.id
    assert letter.reason == "refused: Merge does not belong on tocsin.commands.escalator.add_note"


@pytest.mark.parametrize("identity", ["viewer", "responder", "commander"])
async def test_people_make_no_streams(server: NatsServer, identity: str) -> None:
    async with connected_as(server, identity) as connection:
        for stream in STREAMS:
            with pytest.raises(NotAllowedError):
                await connection.request(f"$JS.API.STREAM.CREATE.{stream.name}", b"{}")


# --- what each needs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_starts_on_a_fresh_server_with_its_own_identity(server: NatsServer, service: str) -> None:
    async with connected_as(server, service) as connection:
        await assert_promises(connection, server.monitor_url)
        await provision(connection, service)
        await provision(connection, service)
    async with connected_as(server, "maker") as maker:
        for stream in STREAMS:
            assert "error" not in await maker.request(f"$JS.API.STREAM.INFO.{stream.name}")
            await maker.request(f"$JS.API.STREAM.DELETE.{stream.name}")


@pytest.mark.parametrize("spec", CONSUMERS, ids=lambda spec: spec.name)
async def test_a_service_handles_acknowledges_and_parks_its_messages(
    server: NatsServer, everything: Connection, spec: ConsumerSpec
) -> None:
    seen: list[str] = []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        await asyncio.sleep(0.05)
        for delivery in batch:
            await delivery.still_working()
            seen.append(delivery.envelope.id)

    subject = spec.filters[0].replace("*", "inc1" if "incidents" in spec.filters[0] else "0", 1).replace("*", "x")
    good = note("a")
    await everything.publish(subject, good)
    await everything.publish_raw(subject, b"nonsense", {})
    async with connected_as(server, spec.service) as connection:
        consumer = Consumer(connection, spec, handle)
        await consumer.start()
        async with asyncio.timeout(10):
            while True:
                info = await everything.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
                if (info["num_pending"], info["num_ack_pending"]) == (0, 0):
                    break
                await asyncio.sleep(0.02)
        await consumer.stop()
    assert seen == [good.id]
    letters = await everything.request("$JS.API.STREAM.INFO.DEADLETTERS")
    assert letters["state"]["messages"] == 1


@pytest.mark.parametrize("service", ["escalator", "remediator", "notifier", "recorder"])
async def test_a_service_reads_the_log_and_appends_its_own_events(
    server: NatsServer, everything: Connection, service: str
) -> None:
    class Count:
        def empty(self, incident: str) -> int:
            return 0

        def evolve(self, state: int, event: Envelope[Event]) -> int:
            return state + 1

    documents = {event.OWNER: event for event in INCIDENT_EVENTS if event.SLUG in _SIMPLE}
    event = documents[service].model_validate(_SIMPLE[documents[service].SLUG])
    await everything.publish(incident_subject("inc1", type(note("x").data)), note("a"))
    async with connected_as(server, service) as connection:
        decider = Decider(IncidentLog(connection), service, Count(), SystemClock(), reads="all")
        first = await decider.one("inc1", "cause1", lambda state, now: (event,))
        both = await decider.one("inc1", "cause2", lambda state, now: (event, event))
    assert (first.state, both.state) == (2, 4)


_SIMPLE: Mapping[str, Mapping[str, object]] = {
    "closed": {},
    "action_refused": {"action": "a", "runbook": "r", "step": "s", "reason": "over budget"},
    "notification_delivered": {"notification": "n", "channel": "slack", "recipient": "person:ada"},
    "review_drafted": {"due_at": NOW},
}


@pytest.mark.usefixtures("everything")
async def test_the_escalator_arms_counts_and_cancels_its_timers_and_hears_them(server: NatsServer) -> None:
    heard = asyncio.Event()

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        heard.set()

    async with connected_as(server, "escalator") as connection:
        timers = Timers(connection, "escalator")
        await timers.arm("inc1", "ack", datetime.now(UTC) + timedelta(hours=1))
        assert await timers.armed() == 1
        await timers.cancel("inc1", "ack")
        assert await timers.armed() == 0
        consumer = Consumer(connection, next(c for c in CONSUMERS if c.name == "escalator-timers"), handle)
        await consumer.start()
        await timers.arm("inc1", "ack", datetime.now(UTC))
        await asyncio.wait_for(heard.wait(), 10)
        await consumer.stop()


DEAD = DEADLETTERS
FOLLOWED = [
    ("detector", "ALERTS", ALERTS), ("detector", "PLAYBOOKS", PLAYBOOKS), ("escalator", "INCIDENTS", INCIDENTS),
    ("escalator", "PLAYBOOKS", PLAYBOOKS), ("remediator", "PLAYBOOKS", PLAYBOOKS), ("notifier", "PLAYBOOKS", PLAYBOOKS),
    ("recorder", "INCIDENTS", INCIDENTS), ("recorder", "DEADLETTERS", DEAD), ("recorder", "PLAYBOOKS", PLAYBOOKS),
    ("operator", "INCIDENTS", INCIDENTS), ("operator", "DEADLETTERS", DEAD), ("operator", "PLAYBOOKS", PLAYBOOKS),
    ("escalator", "ORDERS", ORDERS), ("recorder", "ORDERS", ORDERS), ("operator", "ORDERS", ORDERS),
    ("remediator", "ORDERS", ORDERS), ("notifier", "ORDERS", ORDERS), ("detector", "ORDERS", ORDERS),
    ("viewer", "INCIDENTS", INCIDENTS), ("viewer", "DEADLETTERS", DEAD), ("viewer", "PLAYBOOKS", PLAYBOOKS),
    ("viewer", "ORDERS", ORDERS), ("responder", "PLAYBOOKS", PLAYBOOKS), ("commander", "PLAYBOOKS", PLAYBOOKS),
]  # fmt: skip


@pytest.mark.parametrize(("identity", "stream", "subjects"), FOLLOWED)
async def test_what_an_identity_follows_it_is_shown(
    server: NatsServer, everything: Connection, identity: str, stream: str, subjects: str
) -> None:
    seen: list[Envelope[Payload]] = []
    done = asyncio.Event()

    async def take(events: Sequence[Envelope[Payload]]) -> None:
        seen.extend(events)
        if len(seen) == 2:
            done.set()

    subject = subjects.replace("tocsin.incidents.*.*.*", "tocsin.incidents.inc1.escalator.note_added").replace("*", "0")
    await everything.publish(subject, note("a"))
    async with connected_as(server, identity) as connection:
        follower = Follower(connection, stream, (subjects,), take, service=identity)
        await follower.start()
        await asyncio.wait_for(follower.caught_up.wait(), 10)
        await everything.publish(subject, note("b"))
        await asyncio.wait_for(done.wait(), 10)
        await follower.stop()


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("identity", ["operator", "admin"])
async def test_the_operator_and_admins_push_playbooks_and_give_commands(server: NatsServer, identity: str) -> None:
    async with connected_as(server, identity) as connection:
        await ensure_streams(connection)
        _, was_published = await push(connection, playbook(), source="p")
        assert was_published
        command = AddNote(incident="inc1", by=note("a").data.by, text="looking")
        envelope = caused_by("c", 0, "operator", "inc1", NOW, command)
        written = await connection.publish(command_subject(AddNote), envelope)
        assert written.sequence == 1


@pytest.mark.parametrize("identity", ["recorder", "notifier", "responder"])
@pytest.mark.parametrize("refused", [False, True])
async def test_who_asks_on_somebodys_behalf_hears_what_came_of_it(
    server: NatsServer, everything: Connection, identity: str, refused: bool
) -> None:
    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        for delivery in batch:
            if refused:
                raise RefusedError("eve is a viewer")
            answer = note(delivery.envelope.id)
            await everything.publish(incident_subject("inc1", type(answer.data)), answer)

    command = Acknowledge(incident="inc1", by=note("a").data.by)
    consumer = Consumer(everything, next(c for c in CONSUMERS if c.name == "escalator-commands"), handle)
    await consumer.start()
    async with connected_as(server, identity) as connection:
        answer = await Asking(connection, identity).ask(command, "cause")
    await consumer.stop()
    assert (answer.refused, len(answer.events)) == (("eve is a viewer", 0) if refused else (None, 1))


@pytest.mark.usefixtures("everything")
async def test_the_detector_hears_what_came_of_an_order(server: NatsServer, everything: Connection) -> None:
    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        for delivery in batch:
            lifted = SilenceLifted(silence="s1", by=note("a").data.by)
            answer = caused_by(delivery.envelope.id, 0, "escalator", "", NOW, lifted)
            await everything.publish(order_subject(SilenceLifted), answer)

    consumer = Consumer(everything, next(c for c in CONSUMERS if c.name == "escalator-commands"), handle)
    await consumer.start()
    async with connected_as(server, "detector") as connection:
        answer = await Asking(connection, "detector").ask(LiftSilence(silence="s1", by=note("a").data.by), "cause")
    await consumer.stop()
    assert [type(each.data) for each in answer.events] == [SilenceLifted]


@pytest.mark.usefixtures("everything")
async def test_who_may_not_ask_is_told_so(server: NatsServer) -> None:
    async with connected_as(server, "remediator") as connection:
        with pytest.raises(NotAllowedError):
            await Asking(connection, "remediator").ask(AddNote(incident="inc1", by=note("a").data.by, text="x"), "c")


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("identity", ["detector", "source", "operator", "admin"])
async def test_alerts_are_published_in_batches(server: NatsServer, identity: str) -> None:
    async with connected_as(server, identity) as connection:
        places = await connection.publish_all([(alert_subject("r"), note(f"{identity}{n}")) for n in range(3)])
    assert places == [1, 2, 3]


# --- what happens to who is refused -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("everything")
async def test_a_forbidden_write_fails_and_writes_nothing(server: NatsServer, everything: Connection) -> None:
    async with connected_as(server, "notifier") as connection:
        with pytest.raises(NotAllowedError):
            await connection.publish_raw(incident_subject("inc1", type(note("x").data)), b"{}", {})
        assert connection.is_connected
    assert (await everything.request("$JS.API.STREAM.INFO.INCIDENTS"))["state"]["messages"] == 0


@pytest.mark.usefixtures("everything")
async def test_a_refusal_ends_what_was_refused_and_nothing_else(server: NatsServer) -> None:
    async with connected_as(server, "responder") as connection:
        allowed, refused = command_subject(AddNote), command_subject(Merge)
        asked = [allowed, refused, allowed, refused]
        answers = await asyncio.gather(*(connection.request(each, b"{}") for each in asked), return_exceptions=True)
    assert [str(each) for each in answers if isinstance(each, NotAllowedError)] == [
        f"{refused}: nats does not allow it",
        f"{refused}: nats does not allow it",
    ]
    assert sum(isinstance(each, dict) and "seq" in each for each in answers) == 2


async def test_a_stream_cannot_be_changed_by_declaring_it_otherwise(server: NatsServer, everything: Connection) -> None:
    async with connected_as(server, "notifier") as connection:
        wanted = {"name": "INCIDENTS", "subjects": [INCIDENTS], "max_age": 10**9}
        answer = await connection.request("$JS.API.STREAM.CREATE.INCIDENTS", json.dumps(wanted).encode())
    assert "error" in answer
    assert (await everything.request("$JS.API.STREAM.INFO.INCIDENTS"))["config"]["max_age"] == 0


@pytest.mark.parametrize(
    ("user", "password"), [("escalator", "secret-notifier"), ("escalator", ""), ("nobody", "x"), ("", "")]
)
async def test_who_cannot_say_the_password_is_refused(server: NatsServer, user: str, password: str) -> None:
    with pytest.raises(NatsError, match=r"(?i)authorization violation"):
        await nats.connect(server.url, user=user, password=password, allow_reconnect=False, connect_timeout=5)
