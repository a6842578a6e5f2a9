"""Commands and alerts that concern more than one incident: each is decided on its own log, because of one message."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.merging import Parts, decide_absorbed, decide_split_off, parts_of, split_off_group
from tocsin_escalator.core.muting import unmuting_cause
from tocsin_escalator.core.on_command import IncidentCommand, Others, decide_command
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.search import W, day_number_of, read_now
from tocsin_schemas.commands import Link, Merge, ReleaseSeverity, Resolve, SetSeverity, Split, StateImpact
from tocsin_schemas.events import CommandRejected
from tocsin_schemas.ids import derive_id, incident_id

if TYPE_CHECKING:
    from tocsin_escalator.handlers import Afterwards, Handlers

__all__ = ["REST_PAUSE", "TOGETHER", "Relations"]

TOGETHER = 200
"""How many events about other incidents one message leads to at a time: an append takes 1,000, with all else in it."""

REST_PAUSE = 0.05
"""Seconds until the rest of them follow."""


@dataclass(frozen=True, slots=True)
class Relations:
    """What one decision means for the incidents that it is not about. Called again with the message, it does no more
    than what is still to be done.
    """

    handlers: "Handlers"

    async def others(self, work: W, command: IncidentCommand, message: str, rulebook: Rulebook) -> Others:
        """What a command must know of other incidents."""
        if isinstance(command, Merge | Link):
            named = command.into if isinstance(command, Merge) else command.other
            return Others(named=(await read_now(work, named)).state)
        if isinstance(command, Split) and command.alerts:
            state = (await work.known(command.incident)).state
            group = split_off_group(state, message, rulebook)
            incident = incident_id(group.key, 0)
            alerts = parts_of(state, command.alerts, incident)
            number = day_number_of(work, rulebook, self.handlers.index) if alerts else None
            return Others(parts=Parts(group, incident, alerts, number))
        return Others()

    async def before(
        self, work: W, command: IncidentCommand, others: Others, message: str, rulebook: Rulebook, then: "Afterwards",
        key: int,
    ) -> None:  # fmt: skip
        """Alerts that are split off are an incident of their own before they are gone from theirs."""
        parts, whole = others.parts, (await work.known(command.incident)).state
        if not isinstance(command, Split) or parts is None:
            return
        are_gone = any(key in whole.moved for key, _ in parts.alerts)  # the log took only that: the rest is owed
        foreseen = () if are_gone else decide_command(whole, command, rulebook, work.now, others)
        if any(isinstance(event, CommandRejected) for event in foreseen):
            return
        await self.handlers.decide(
            work,
            parts.incident,
            message,
            lambda state, now: decide_split_off(state, whole, parts, command.by, command.because, rulebook, now),
            key,
            then,
        )

    async def after(
        self, work: W, command: IncidentCommand, others: Others, message: str, then: "Afterwards", key: int
    ) -> None:
        """The incident that it was merged into takes it in, with its parts; what was resolved takes its parts along."""
        state = (await work.known(command.incident)).state
        if isinstance(command, Merge) and state.part_of == command.into:
            await self.absorb(work, state, message, then, key, because=command)
            async for part in self._parts(work, command.incident, then, key):
                moved = command.model_copy(update={"incident": part.incident})
                await self._decide_part(work, part, moved, others, message, then, key)
        elif isinstance(command, Resolve) and state.resolved_at is not None:
            async for part in self._parts(work, command.incident, then, key):
                same = command.model_copy(update={"incident": part.incident})
                await self._decide_part(work, part, same, Others(), message, then, key)
        elif isinstance(command, SetSeverity | ReleaseSeverity | StateImpact) and state.part_of is not None:
            await self.found(work, command.incident, message, then, key)
        elif isinstance(command, ReleaseSeverity):
            async for part in self._parts(work, command.incident, then, key):
                await self.found(work, part.incident, message, then, key)

    async def absorb(
        self, work: W, part: IncidentState, message: str, then: "Afterwards", key: int, because: Merge | None = None
    ) -> None:
        """The incident that this one is a part of learns of it."""
        whole, handlers = part.part_of, self.handlers
        rulebook = await self.handlers.rulebook_of(work, whole, key, then) if whole is not None else None
        if whole is None or rulebook is None:
            return
        if because is None:
            await self.handlers.decide(
                work, whole, message, lambda state, now: decide_absorbed(state, part, rulebook, now), key, then
            )
        else:
            command = because
            await self.handlers.decide(
                work,
                whole,
                message,
                lambda state, now: decide_absorbed(state, part, rulebook, now, command.because, command.by),
                key,
                then,
            )
        stands = (await work.known(whole)).state
        if stands.is_open and stands.muted is None:
            return
        # What we know from following the log was too old: nobody would be told of the part.
        handlers.explanations.kinships.stands(stands)
        await handlers.look_again(work, part.incident, unmuting_cause(part), key, then, over=whole)

    async def found(self, work: W, incident: str, cause: str, then: "Afterwards", key: int) -> None:
        """What looked at this incident again may have found that it is a part of another."""
        state = (await work.known(incident)).state
        if state.part_of is not None:
            await self.absorb(work, state, derive_id("absorbed", cause, incident), then, key)

    async def left_behind(self, work: W, incident: str, then: "Afterwards", key: int) -> None:
        """Where an incident is over, its parts that still fire stand for themselves again."""
        if (await work.known(incident)).state.resolved_at is None:
            return
        async for part in self._parts(work, incident, then, key):
            if part.firing:
                await self.handlers.look_again(work, part.incident, unmuting_cause(part), key, then, over=incident)

    async def _parts(self, work: W, incident: str, then: "Afterwards", key: int) -> AsyncIterator[IncidentState]:
        """The open incidents that are a part of this one, as its log and what was followed say. There may be hundreds:
        what does not fit into one append is left for when the message comes again.
        """
        full = work.size + TOGETHER
        known = (await work.known(incident)).state.parts
        for name in sorted({*known, *self.handlers.explanations.muted_by(incident)}):
            state = (await work.known(name)).state
            if state.is_open and state.part_of != incident:
                state = (await read_now(work, name)).state  # another replica may have merged it
            if state.part_of != incident or not state.is_open:
                continue
            if work.size > full:
                then.later[key] = REST_PAUSE
                return
            yield state

    async def _decide_part(
        self, work: W, part: IncidentState, command: IncidentCommand, others: Others, message: str,
        then: "Afterwards", key: int,
    ) -> None:  # fmt: skip
        rulebook = await self.handlers.rulebook_of(work, part.incident, key, then)
        if rulebook is not None:
            await self.handlers.decide(
                work,
                part.incident,
                message,
                lambda state, now: decide_command(state, command, rulebook, now, others),
                key,
                then,
            )
