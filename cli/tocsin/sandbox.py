"""A sandbox: nats-server and the services in a temporary folder, with playbooks from which nothing leaves.

Channels are the terminal, no action is carried out, nothing is watched. What was recorded goes in, and what is
decided now is compared with what was decided then. The detector is left out: its decisions are the recorded alerts,
and with nothing to scrape it would only withdraw them.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import uvloop

from tocsin.place import Place
from tocsin.services import SERVICES
from tocsin.up import Servers, host_of, servers
from tocsin_playbook import load_checked
from tocsin_rehearsal.recording import (
    Difference,
    Input,
    Inputs,
    Replayed,
    compare,
    harmless_inputs,
    replay,
    without_actions,
)
from tocsin_rehearsal.recording.streams import StreamReader, stream_info
from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_schemas import Envelope, Event, PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.events import IncidentOpened
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import playbook_subject

__all__ = ["Rehearsed", "SandboxError", "rehearse", "with_playbooks"]

_SERVICES = tuple(service for service in SERVICES if service != "detector")
_SAFE = {"remediator": {"automation_enabled": False, "allowed_hosts": ""}}
"""Besides the harmless playbook: the kill switch, and no host that may be reached."""

_NOTHING = "the recording holds no alert and no command: there is nothing to replay"
_QUIET = 2.0
"""Seconds without a new event after which everything is taken to be decided."""

_LONGEST_WAIT = 60.0


class SandboxError(RuntimeError):
    """The sandbox cannot do what it is for; the message says why."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of it. `compared` counts the recorded events that were compared; `begun_before` the incidents that
    had begun before the recording did, and are not compared."""

    replayed: Replayed
    decided: int
    compared: int
    begun_before: int
    differences: list[Difference]


def with_playbooks(inputs: Inputs, files: Sequence[Path]) -> Inputs:
    """The recording under other playbooks. Raises PlaybookError where one of them has errors, SandboxError."""
    if not inputs.messages:
        raise SandboxError(_NOTHING)
    at, given = inputs.messages[0].at, []
    for file in files:
        text = file.read_text(encoding="utf-8")
        loaded = load_checked(text, source=str(file))
        ref = PlaybookRef(name=loaded.playbook.metadata.name, revision=loaded.revision)
        envelope = caused_by(
            derive_id("sandbox", ref.name, ref.revision),
            0,
            "playbook",
            "",
            at,
            PlaybookPublished(playbook=ref, text=text),
        )
        given.append(Input(at, "PLAYBOOKS", playbook_subject(ref.name), envelope))
    messages = tuple(each for each in inputs.messages if each.stream != "PLAYBOOKS")
    return replace(inputs, playbooks=tuple(given), messages=messages)


def rehearse(inputs: Inputs, *, speed: float, tolerance: timedelta | None) -> Rehearsed:
    """Replay into a sandbox, wait for what is decided, and compare. Ids are kept.

    Raises SandboxError, PlaybookError, ServerError, BusUnavailableError.
    """
    if not inputs.messages:
        raise SandboxError(_NOTHING)
    if not inputs.playbooks:
        raise SandboxError("the recording holds no playbook from its beginning: name one with --playbook")
    with tempfile.TemporaryDirectory(prefix="tocsin-sandbox-", ignore_cleanup_errors=True) as folder:
        place = Place(Path(folder))
        place.prepare()
        with servers(place, with_valkey=False) as on:
            return uvloop.run(_rehearse(inputs, place, on, speed, tolerance))


async def _rehearse(inputs: Inputs, place: Place, on: Servers, speed: float, tolerance: timedelta | None) -> Rehearsed:
    harmless, revisions = harmless_inputs(inputs)
    connection = Connection(Address(on.nats.url, "operator", place.passwords()["operator"]), "operator")
    async with connection:
        await ensure_streams(connection)
        playbooks = (await replay(replace(harmless, messages=()), connection, speed=speed, run=None)).playbooks
        async with _services(place, on):
            began = connection.clock.now()
            replayed = await replay(replace(harmless, playbooks=()), connection, speed=speed, run=None)
            replayed.playbooks += playbooks
            ends_at = began + timedelta(seconds=_length(inputs).total_seconds() / speed)
            await _until_quiet(connection, ends_at)
            decided = await _decided(connection)
    recorded, begun_before = _opened_here(inputs.events)
    if speed == 1 and tolerance is not None:
        decided = [event for event in decided if event.time <= ends_at + tolerance]
    same_names = _as_recorded(decided, revisions, recorded)
    compared = without_actions(recorded)
    differences = compare(compared, without_actions(same_names), tolerance=tolerance)
    return Rehearsed(replayed, len(decided), len(compared), begun_before, differences)


@asynccontextmanager
async def _services(place: Place, on: Servers) -> AsyncIterator[None]:
    hosts = [host_of(service, place, on, http_port=0, **_SAFE.get(service, {})) for service in _SERVICES]
    try:
        await asyncio.gather(*(host.start() for host in hosts))
        yield
        if died := [host.service for host in hosts if host.failed.is_set()]:
            raise SandboxError(f"{', '.join(died)} died in the sandbox; its log says why")
    finally:
        await asyncio.gather(*(host.stop() for host in hosts))


# --- when it is over --------------------------------------------------------------------------------------------------


def _length(inputs: Inputs) -> timedelta:
    """From the first input to the last thing that was recorded."""
    first, last = inputs.messages[0].at, inputs.messages[-1].at
    return max([last, *(event.time for event in inputs.events)]) - first


async def _until_quiet(connection: Connection, ends_at: datetime) -> None:
    clock = connection.clock
    await clock.sleep(max((ends_at - clock.now()).total_seconds(), 0.0))
    give_up_at = clock.monotonic() + _LONGEST_WAIT
    last = -1
    while (seen := (await stream_info(connection, "INCIDENTS")).last) != last and clock.monotonic() < give_up_at:
        last = seen
        await clock.sleep(_QUIET)


async def _decided(connection: Connection) -> list[Envelope[Event]]:
    last = (await stream_info(connection, "INCIDENTS")).last
    return [
        message.decode()  # type: ignore[misc]  # the log holds events and nothing else
        async for message in StreamReader(connection, "INCIDENTS").read(last)
    ]


# --- what is compared -------------------------------------------------------------------------------------------------


def _opened_here(events: Sequence[Envelope[Event]]) -> tuple[list[Envelope[Event]], int]:
    opened = {event.incident for event in events if isinstance(event.data, IncidentOpened)}
    others = {event.incident for event in events} - opened
    return [event for event in events if event.incident in opened], len(others)


def _as_recorded(
    decided: Sequence[Envelope[Event]], revisions: dict[PlaybookRef, PlaybookRef], recorded: Sequence[Envelope[Event]]
) -> list[Envelope[Event]]:
    """With the playbooks' recorded names: a harmless one has another revision, and that is no difference."""
    openings = [event.data for event in recorded if isinstance(event.data, IncidentOpened)]
    then = {opening.playbook.name: opening.playbook for opening in openings}

    def renamed(event: Envelope[Event]) -> Envelope[Event]:
        if not isinstance(event.data, IncidentOpened):
            return event
        before = revisions.get(event.data.playbook, event.data.playbook)
        ref = then.get(before.name, before)
        return replace(event, data=event.data.model_copy(update={"playbook": ref}))

    return [renamed(event) for event in decided]
