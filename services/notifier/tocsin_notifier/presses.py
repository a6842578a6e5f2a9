"""From a press of a button to a command, and back to who pressed: believe, send, wait, tell.

The command is on disk before Slack is told that the press was taken. What comes of it is told later, by as many tasks
as there is room for; a press for which there is none is refused, so that who pressed sees it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from tocsin_notifier.adapters.slack_replies import SlackReplies
from tocsin_notifier.core.clicks import (
    Click,
    UnknownButtonError,
    command_of,
    held_by,
    outcome,
    people_called,
    stranger,
)
from tocsin_playbook.model.channels import SlackChannel
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.asking import Answer
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import Actor, Command, Envelope, EnvelopeError, Event
from tocsin_schemas.commands import Acknowledge

__all__ = ["Asks", "Presses"]

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_MAYBE_SENT_FOR = 60.0
"""Seconds for which a press that was not confirmed, and may have been sent, is the same command when it is repeated:
who was told to press again must not escalate twice."""

_NOT_SENT = "Not sent: NATS does not answer. It may not have been taken; press again in a moment."
_STARTING = "Not sent: Tocsin starts, and does not know its playbooks yet. Press again in a moment."
_STILL = "Your press before this one is still being carried out."
_QUEUED = "Sent, and nobody has carried it out yet: it is queued. The timeline will say what came of it."


@dataclass(frozen=True, slots=True)
class _Unsent:
    """What was not sent: what is said of that, and whether it is no use to press again."""

    said: str
    is_settled: bool


class Asks(Protocol):
    """`tocsin_runtime.asking.Asking`, or what a test has in its place."""

    async def send(self, command: Command, cause: str) -> str: ...

    async def ask(self, command: Command, cause: str) -> Answer: ...


class Presses:
    """Carries out what people press, each press once."""

    def __init__(
        self,
        *,
        asking: Asks,
        load: Callable[[str], Awaitable[Sequence[Envelope[Event]]]],
        playbooks: Playbooks,
        replies: SlackReplies,
        clock: Clock,
        teams: Collection[str],
        vouches: Callable[[str, SlackChannel], bool],
        drain: float,
    ) -> None:
        """`load` answers with an incident's log. `vouches`: whether what is signed with this secret is believed of
        people of this channel. `drain`: seconds that answers may take when the service stops."""
        self._asking, self._load, self._playbooks, self._replies = asking, load, playbooks, replies
        self._clock, self._teams, self._vouches, self._drain = clock, teams, vouches, drain
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[tuple[str, str, str]] = set()
        self._maybe_sent: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._is_closed = False

    async def take(self, click: Click, within: float) -> bool:
        """Whether the press is settled, or on disk as a command. Not: NATS does not answer within so many seconds, or
        there is no room for more."""
        if self._is_closed or len(self._tasks) >= _AT_ONCE:
            log.warning("a press of a button is not taken: no room, or the service stops", user=click.user)
            return False
        if not self._playbooks.caught_up.is_set():
            self._tell(click, _STARTING)
            return False
        command = self._command(click)
        if isinstance(command, str):
            self._tell(click, command)
            return True
        key = (type(command).SLUG, click.user, click.value)
        if key in self._under_way:
            self._tell(click, _STILL)
            return True
        self._under_way.add(key)
        is_taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._begin(self._carry_out(click, command, within, is_taken, key))
        return await asyncio.shield(is_taken)

    async def drain(self) -> None:
        """Take no more, and let those who pressed hear what came of it."""
        self._is_closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._drain)
            for task in late:
                task.cancel()
            if late:
                log.error("presses of buttons stay unanswered: the service stops", presses=len(late))

    def _command(self, click: Click) -> Command | str:
        """What is asked for, on behalf of whom; or why nothing is."""
        playbooks = [self._playbooks.get(ref) for ref in self._playbooks.heads().values()]
        people = people_called(playbooks, click.user, partial(self._vouches, click.signed_with))
        if (unknown := stranger(click, people, self._teams)) is not None:
            return unknown
        try:
            return command_of(click.name, click.value, Actor.person(people[0], "slack"))
        except UnknownButtonError as error:
            return f"Not sent: {error}."

    async def _carry_out(
        self, click: Click, command: Command, within: float, is_taken: asyncio.Future[bool], key: tuple[str, str, str]
    ) -> None:
        try:
            cause = self._cause(click, key)
            unsent = await self._send(click, command, within, cause, key)
            is_taken.set_result(unsent is None or unsent.is_settled)
            said = await self._what_came_of(cause, command) if unsent is None else unsent.said
        finally:
            self._under_way.discard(key)
            if not is_taken.done():
                is_taken.set_result(False)
        await self._replies.tell(click, said)

    def _cause(self, click: Click, key: tuple[str, str, str]) -> str:
        """That of this press; or of the one before it, where nobody knows whether that was sent."""
        now = self._clock.monotonic()
        self._maybe_sent = {each: sent for each, sent in self._maybe_sent.items() if now - sent[1] < _MAYBE_SENT_FOR}
        return self._maybe_sent[key][0] if key in self._maybe_sent else click.cause

    async def _send(
        self, click: Click, command: Command, within: float, cause: str, key: tuple[str, str, str]
    ) -> _Unsent | None:
        """None once it is on disk."""
        try:
            async with asyncio.timeout(within):
                if (needless := await self._needless(command)) is not None:
                    return _Unsent(needless, is_settled=True)
                self._maybe_sent[key] = cause, self._clock.monotonic()
                await self._asking.send(command, cause)
                del self._maybe_sent[key]
        except NotAllowedError as error:
            self._maybe_sent.pop(key, None)
            log.error("a press of a button may not be sent", user=click.user, reason=str(error))
            return _Unsent("Not sent: NATS does not let the notifier ask for this.", is_settled=True)
        except (BusUnavailableError, TimeoutError) as error:
            log.warning("a press of a button is not sent", user=click.user, reason=repr(error))
            return _Unsent(_NOT_SENT, is_settled=False)
        return None

    async def _needless(self, command: Command) -> str | None:
        """Why nothing need be sent, if that is known."""
        try:
            events = await self._load(str(getattr(command, "incident", "")))
        except EnvelopeError as error:  # a newer version wrote it, and can decide on it
            log.warning("whether a press of a button is needed cannot be read", reason=str(error))
            return None
        if not events:
            return "Not sent: there is no such incident."
        if isinstance(command, Acknowledge) and (holder := held_by(events, self._clock.now())):
            who = "You have" if holder == command.by.name else f"{holder} has"
            return f"{who} acknowledged it already."
        return None

    async def _what_came_of(self, cause: str, command: Command) -> str:
        try:
            answer = await self._asking.ask(command, cause)  # the same command: it is not carried out twice
        except BusUnavailableError as error:
            log.warning("what came of a press of a button is not known", reason=str(error))
            return _QUEUED
        if answer.refused is not None:
            return f"Not done: {answer.refused}."
        return _QUEUED if answer.pending else outcome(answer.events)

    def _tell(self, click: Click, text: str) -> None:
        self._begin(self._replies.tell(click, text))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields is asyncio's own business
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a press of a button was not answered: an error of ours", error=type(error).__name__)
