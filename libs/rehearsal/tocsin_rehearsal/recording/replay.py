"""Replay: the inputs of a recording, published again with their spacing, into a live system or a sandbox.

Only what came from outside is sent; the services decide anew. Commands about an incident are sent to the incident
that the replayed alerts have become part of, which has another name as a rule.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tocsin_rehearsal.recording.inputs import Input, Inputs
from tocsin_rehearsal.recording.redirect import NotSent, Redirect
from tocsin_rehearsal.recording.renew import Renewal
from tocsin_rehearsal.recording.streams import stream_info
from tocsin_runtime import Connection
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import format_moment

__all__ = ["MAX_SPEED", "Replayed", "describe", "new_run", "parse_speed", "replay"]

MAX_SPEED = math.inf
"""As fast as it goes: nothing is waited for."""

_TOGETHER = 500
"""Alerts that are due are sent in batches of so many at most."""


@dataclass
class Replayed:
    """What was sent, and what was not, each with its reason."""

    alerts: int = 0
    commands: int = 0
    playbooks: int = 0
    duplicates: int = 0
    not_sent: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.alerts + self.commands + self.playbooks


def parse_speed(text: str) -> float:
    """`60x`, `0.5x`, or `max`. Raises ValueError."""
    if text == "max":
        return MAX_SPEED
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not 0.001 <= speed <= 1_000_000:  # also NaN, and infinities written as words
        raise ValueError(f"{text!r} is no speed; write 1x, 60x or max")
    return speed


def new_run(connection: Connection) -> str:
    """A name for a replay that begins now."""
    return derive_id("replay", format_moment(connection.clock.now()))


def describe(given: Input, begun: Input, speed: float) -> str:
    """One line: when after the beginning it is sent, and what it is."""
    data = given.envelope.data
    about = getattr(data, "rule", "") or given.envelope.incident or getattr(getattr(data, "playbook", None), "name", "")
    rebuilt = "  (rebuilt from its answer)" if given.rebuilt else ""
    return f"+{_due(given, begun, speed).total_seconds():.1f} s  {type(data).__name__}  {about}{rebuilt}"


async def replay(
    recording: Inputs,
    connection: Connection,
    *,
    speed: float,
    run: str | None,
    on_sent: Callable[[Input], None] = lambda given: None,
) -> Replayed:
    """Publish the inputs; time is told and waited for by the connection's clock.

    `run` names the replay: all ids are derived from it, so that a live system takes the messages as new. With None
    ids are kept, and a stream that knows them takes nothing twice. Playbooks that were in force before the first
    alert are sent at once. Raises BusUnavailableError where the bus cannot be reached; what was sent stays sent.
    """
    replaying = _Replay(connection, recording, Renewal(run), speed, on_sent)
    async with replaying.redirect:
        await replaying.send_all()
    return replaying.done


def _due(given: Input, begun: Input, speed: float) -> timedelta:
    return timedelta(seconds=max((given.at - begun.at).total_seconds(), 0.0) / speed)


class _Replay:
    def __init__(
        self,
        connection: Connection,
        recording: Inputs,
        renewal: Renewal,
        speed: float,
        on_sent: Callable[[Input], None],
    ) -> None:
        self.redirect = Redirect(connection, recording, renewal)
        self.done = Replayed()
        self._connection, self._clock = connection, connection.clock
        self._known = 0
        self._recording, self._renewal, self._speed, self._on_sent = recording, renewal, speed, on_sent

    async def send_all(self) -> None:
        self._known = (await stream_info(self._connection, "ALERTS")).last
        for given in self._recording.playbooks:
            await self._send([given])
        messages = self._recording.messages
        began = self._clock.monotonic()
        position = 0
        while position < len(messages):
            due = began + _due(messages[position], messages[0], self._speed).total_seconds()
            if (left := due - self._clock.monotonic()) > 0:
                await self._clock.sleep(left)
            together = self._due_together(messages, position, self._clock.monotonic() - began)
            await self._send(together)
            position += len(together)

    def _due_together(self, messages: Sequence[Input], position: int, elapsed: float) -> Sequence[Input]:
        """The next message, and the alerts after it that are due by now as well."""
        end = position + 1
        while (
            end < len(messages)
            and end - position < _TOGETHER
            and messages[end].stream == messages[position].stream == "ALERTS"
            and _due(messages[end], messages[0], self._speed).total_seconds() <= elapsed
        ):
            end += 1
        return messages[position:end]

    async def _send(self, given: Sequence[Input]) -> None:
        now = self._clock.now()
        if given[0].stream == "ALERTS":
            moved = [(each.subject, self._renewal.moved(each, now)) for each in given]
            places = await self._connection.publish_all(moved)
            new = {place for place in places if place > self._known}
            self.done.alerts += len(new)
            self.done.duplicates += len(places) - len(new)
            self._known = max(self._known, *places)
        else:
            await self._send_one(given[0])
        for each in given:
            self._on_sent(each)

    async def _send_one(self, given: Input) -> None:
        if given.stream == "COMMANDS":
            redirected = await self.redirect.command(given.envelope)
            if isinstance(redirected, NotSent):
                self.done.not_sent.append(redirected.reason)
                return
            given = replace(given, envelope=redirected)
        written = await self._connection.publish(given.subject, self._renewal.moved(given, self._clock.now()))
        self.done.duplicates += written.duplicate
        if given.stream == "COMMANDS":
            self.done.commands += not written.duplicate
        else:
            self.done.playbooks += not written.duplicate
