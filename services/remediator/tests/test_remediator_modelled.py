"""The wired remediator over modelled outsides, as in a simulation: no socket, no thread, no file."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from remediator_world import ADA, T0, opened, playbook

from tocsin_playbook import Playbook
from tocsin_playbook.model import HttpAction, HttpCheck, OutcomeProbe
from tocsin_playbook.standing_orders import NO_ORDERS
from tocsin_remediator.adapters.exchange import Request
from tocsin_remediator.adapters.http import HttpTarget
from tocsin_remediator.adapters.leases import Demand, ProcessLeases, Taken
from tocsin_remediator.adapters.target import Target
from tocsin_remediator.app import build
from tocsin_remediator.core.outcomes import Answered, Lost, NotSent, Reply
from tocsin_remediator.core.reach import AllowedHosts
from tocsin_remediator.settings import RemediatorSettings
from tocsin_runtime import Delivery, Host, NotYetError, RefusedError
from tocsin_runtime.bus.delivery import Position
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Command, Envelope, Event, Payload, PlaybookRef, RunbookOutcome, caused_by
from tocsin_schemas.commands import ApproveAction, StopAutomation
from tocsin_schemas.events import ActionClaimed, RequestRefused, RunbookFinished
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import command_subject, incident_subject

LOCAL = AllowedHosts.parse("127.0.0.1")
Sent = Callable[[], None]


class PassingClock:
    """Time passes when somebody sleeps, and at once."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0)


class Log:
    """The log of incidents in memory."""

    def __init__(self) -> None:
        self.events: list[Envelope[Event]] = []

    async def load(self, _: str, *, after: int = 0, service: str | None = None) -> list[Envelope[Event]]:
        return [event for event in self.events[after:] if service in (None, type(event.data).OWNER)]

    async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        stored = []
        for each in appends:
            first = len(self.events) + 1
            placed = tuple(event.at(number) for number, event in enumerate(each.events, first))
            self.events += placed
            stored.append(placed)
        return stored


class Shelf:
    """The one published playbook."""

    def get(self, _: PlaybookRef) -> Playbook:
        return playbook()


class Ordered:
    """The standing orders."""

    standing = NO_ORDERS


class Wiring:
    """A host that only notes what is connected with it."""

    replica = "model#1"

    def __init__(self) -> None:
        self.settings, self.clock = RemediatorSettings(), PassingClock()
        self.incidents, self.playbooks, self.orders = Log(), Shelf(), Ordered()
        self.handlers: dict[str, Any] = {}
        self.stops: list[Callable[[], Awaitable[None]]] = []

    def consume(self, name: str, handler: Any) -> None:
        self.handlers[name] = handler

    def at_stop(self, call: Callable[[], Awaitable[None]]) -> None:
        self.stops.append(call)


class Network:
    """Every request is answered with 200, but for what a test says of an address's end."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.on: dict[str, Callable[[Sent], Awaitable[Answered]]] = {}

    async def exchange(self, request: Request, sent: Sent) -> Answered:
        self.requests.append(request)
        for end, answer in self.on.items():
            if request.url.endswith(end):
                return await answer(sent)
        sent()
        return Answered(200, b"{}")

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(request.method, request.url.removeprefix("http://127.0.0.1:1")) for request in self.requests]


class CountedLeases(ProcessLeases):
    """Notes what was taken, and whether it was closed."""

    def __init__(self, clock: PassingClock) -> None:
        super().__init__(clock)
        self.demands: list[Demand] = []
        self.is_closed = False

    async def take(self, demand: Demand) -> Any:
        self.demands.append(demand)
        return await super().take(demand)

    async def close(self) -> None:
        self.is_closed = True


class System:
    def __init__(self, target: Target | None = None, log: Log | None = None) -> None:
        self.host, self.network = Wiring(), Network()
        self.host.incidents = log or self.host.incidents
        self.leases = CountedLeases(self.host.clock)
        over_network = HttpTarget(self.host.settings.policy.allowed_hosts, self.network)
        build(cast(Host[RemediatorSettings], self.host), target=target or over_network, leases=self.leases)

    async def open(self) -> RunbookFinished:
        """An incident is opened; the answer is how its runbook ended."""
        await self.hear(opened())
        finished = self.host.incidents.events[-1].data
        assert isinstance(finished, RunbookFinished)
        return finished

    async def hear(self, event: Event) -> None:
        """The escalator states this, first of all."""
        envelope = caused_by(derive_id("test", "opened"), 0, "escalator", "inc", T0, event).at(1)
        self.host.incidents.events.append(envelope)
        subject = incident_subject("inc", type(event))
        delivery = cast(
            Delivery[Payload],
            Delivery(envelope, subject, Position("INCIDENTS", 1, 1), None),  # type: ignore[arg-type]  # it is not settled here
        )
        await self.host.handlers["remediator-incidents"]([delivery])

    async def ask(self, command: Command) -> Sequence[Event]:
        """A person asks for this; what the log says of it afterwards."""
        envelope = caused_by(derive_id("test", type(command).__name__), 0, "operator", "", T0, command)
        delivery = cast(
            Delivery[Payload],
            Delivery(envelope, command_subject(type(command)), Position("COMMANDS", 1, 1), None),  # type: ignore[arg-type]  # it is not settled here
        )
        await self.host.handlers["remediator-commands"]([delivery])
        return [event.data for event in self.host.incidents.events if event.cause == envelope.id]

    @property
    def claim(self) -> ActionClaimed:
        return next(event.data for event in self.host.incidents.events if isinstance(event.data, ActionClaimed))


@pytest.fixture
async def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket, asks for a thread or looks up a name gets an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket, a thread or a name")

    monkeypatch.setattr(socket, "socket", refuse)
    loop = asyncio.get_running_loop()
    for name in ("run_in_executor", "getaddrinfo"):
        monkeypatch.setattr(loop, name, refuse)


@pytest.mark.usefixtures("sealed")
async def test_an_incident_is_mitigated_over_a_modelled_network() -> None:
    system = System()
    finished = await system.open()
    assert finished.outcome is RunbookOutcome.MITIGATED
    assert system.network.asked == [("POST", "/clear"), ("GET", "/health"), ("GET", "/health")]
    assert system.network.requests[0].headers["Idempotency-Key"] == system.claim.execution


@pytest.mark.usefixtures("sealed")
async def test_what_a_modelled_target_answers_is_judged_as_any_answer() -> None:
    class Refusing:
        async def act(self, action: HttpAction, execution: str, traceparent: str, timeout: timedelta) -> Reply:
            return Answered(403)

        async def ask(self, probe: OutcomeProbe, execution: str) -> Reply:
            raise AssertionError("the steps have no probe")

        async def look(self, check: HttpCheck, timeout: timedelta) -> str | None:
            raise AssertionError("nothing was done")

    system = System(Refusing())
    assert (await system.open()).outcome is RunbookOutcome.ESCALATED
    assert system.network.requests == []


@pytest.mark.usefixtures("sealed")
async def test_given_leases_are_taken_and_closed_with_the_service() -> None:
    system = System()
    await system.open()
    assert [demand.execution for demand in system.leases.demands] == [system.claim.execution]
    assert await system.leases.take(system.leases.demands[0]) == Taken()
    for stop in system.host.stops:
        await stop()
    assert system.leases.is_closed


@pytest.mark.usefixtures("sealed")
async def test_a_refused_command_is_answered_once_however_often_it_comes_and_is_held_by_nothing() -> None:
    """Also not by an action of the incident that waits for somebody's yes."""
    first = System()
    second = System(log=first.host.incidents)
    with pytest.raises(NotYetError, match="waiting for approval"):
        await first.hear(opened("P2"))
    refused = RequestRefused(command="ApproveAction", reason="there is no action x", by=ADA)
    for replica in (first, first, second):  # it was written down, and the acknowledgement was lost
        assert await replica.ask(ApproveAction(incident="inc", by=ADA, action="x")) == [refused]


@pytest.mark.usefixtures("sealed")
async def test_a_command_about_an_incident_that_is_not_there_is_answered_nowhere() -> None:
    system = System()
    with pytest.raises(RefusedError, match="there is no such incident"):
        await system.ask(StopAutomation(incident="inc", by=ADA))
    assert system.host.incidents.events == []


# --- the seam below the target ----------------------------------------------------------------------------------------


async def act(network: Network, url: str = "http://127.0.0.1:1/a", **action: Any) -> Reply:
    model = HttpAction.model_validate({"url": url, **action})
    return await HttpTarget(LOCAL, network).act(model, "key-1", "00-trace", timedelta(milliseconds=50))


async def lost(sent: Sent) -> Answered:
    sent()
    raise ConnectionResetError


async def refused(_: Sent) -> Answered:
    raise ConnectionRefusedError


async def hangs(sent: Sent) -> Answered:
    sent()
    await asyncio.Event().wait()
    raise AssertionError


async def never_connects(_: Sent) -> Answered:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (lost, Lost("the connection was lost before an answer came (ConnectionResetError)")),
        (refused, NotSent("no connection: ConnectionRefusedError")),
        (hangs, Lost("no answer within 0.05 s")),
        (never_connects, NotSent("no connection within 0.05 s")),
    ],
)
async def test_what_counts_of_a_failed_exchange_is_whether_anything_was_sent(
    answer: Callable[[Sent], Awaitable[Answered]], reply: Reply
) -> None:
    network = Network()
    network.on["/a"] = answer
    assert await act(network) == reply


async def test_an_address_that_is_not_allowed_never_reaches_the_network() -> None:
    network = Network()
    assert isinstance(await act(network, "http://evil.example/"), NotSent)
    assert network.requests == []


async def test_a_request_carries_its_secrets_and_does_not_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "canary-4711")
    network = Network()
    await act(network, headers={"Authorization": {"env": "SHOP_TOKEN"}}, json={"x": 1})
    (request,) = network.requests
    assert request.headers["Authorization"] == "canary-4711"
    assert (request.json, request.text, request.wants_body) == ({"x": 1}, None, False)
    assert "canary" not in repr(request)
