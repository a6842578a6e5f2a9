"""Commands of a replay find their incident: the one that has taken the replayed alerts, whatever it is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from tocsin_escalator.core.standing import ORDER_COMMANDS, order_id
from tocsin_rehearsal.recording.inputs import Inputs
from tocsin_rehearsal.recording.renew import Renewal
from tocsin_rehearsal.recording.streams import stream_info
from tocsin_runtime import Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.commands import AcknowledgeAlert, ApproveAction, LiftOverride, LiftSilence
from tocsin_schemas.events import ActionProposed, AlertGrouped
from tocsin_schemas.ids import span_id, trace_id
from tocsin_schemas.subjects import INCIDENTS

__all__ = ["NotSent", "Redirect"]

T = TypeVar("T")
_PATIENCE = 10.0
"""Seconds for which a command waits until the services have decided about its incident."""

_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class NotSent:
    """Why a command has no receiver."""

    reason: str


class Redirect:
    """Follows the log while a replay runs, and names the incidents and actions that commands are meant for."""

    def __init__(self, connection: Connection, recording: Inputs, renewal: Renewal) -> None:
        self._connection, self._recording, self._renewal = connection, recording, renewal
        self._incidents: dict[tuple[str, str], str] = {}
        self._actions: dict[tuple[str, str, str], str] = {}
        self._follower: Follower | None = None
        ids = [each.envelope.id for each in recording.messages if isinstance(each.envelope.data, ORDER_COMMANDS)]
        self._orders = {order_id(name): order_id(renewal.message(name)) for name in ids}

    async def __aenter__(self) -> Self:
        if self._recording.commands:
            last = (await stream_info(self._connection, "INCIDENTS")).last
            self._follower = Follower(
                self._connection, "INCIDENTS", (INCIDENTS,), self._take, service=self._connection.name, after=last
            )
            await self._follower.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._follower is not None:
            await self._follower.stop()

    async def command(self, envelope: Envelope[Payload]) -> Envelope[Payload] | NotSent:
        """The command for the incident that is meant here. Waits until the services have decided what that is."""
        data, recorded = envelope.data, getattr(envelope.data, "incident", None)
        if isinstance(data, AcknowledgeAlert):
            return replace(envelope, data=data.model_copy(update={"episode": self._renewal.episode(data.episode)}))
        if recorded is None:
            return self._order(envelope)
        kind = type(data).__name__
        incident = await self._incident(recorded)
        if incident is None:
            return NotSent(f"{kind} for {recorded}: no incident has taken its alerts")
        changed = {"incident": incident}
        for name in ("into", "other"):  # what it is merged into, or has to do with
            if (recorded_other := getattr(data, name, None)) is None:
                continue
            if (other := await self._incident(recorded_other)) is None:
                return NotSent(f"{kind} for {recorded}: no incident has taken the alerts of {recorded_other}")
            changed[name] = other
        if isinstance(data, ApproveAction):
            step = self._recording.steps.get(data.action)
            action = None if step is None else await self._wait(lambda: self._actions.get((incident, *step)))
            if action is None:
                return NotSent(f"{kind} for {recorded}: {'/'.join(step or ('an action',))} was not proposed")
            changed["action"] = action
        return replace(
            envelope,
            data=data.model_copy(update=changed),
            incident=incident,
            traceparent=f"00-{trace_id(incident)}-{span_id(envelope.id)}-01",
        )

    def _order(self, envelope: Envelope[Payload]) -> Envelope[Payload]:
        """What is lifted has the name that follows from its command here."""
        data = envelope.data
        if isinstance(data, LiftSilence) and (name := self._orders.get(data.silence)) is not None:
            return replace(envelope, data=data.model_copy(update={"silence": name}))
        if isinstance(data, LiftOverride) and (name := self._orders.get(data.override)) is not None:
            return replace(envelope, data=data.model_copy(update={"override": name}))
        return envelope

    async def _incident(self, recorded: str) -> str | None:
        if self._renewal.run is None and await IncidentLog(self._connection).load(recorded):
            return recorded
        alerts = [
            (fingerprint, self._renewal.episode(episode))
            for fingerprint, episode in sorted(self._recording.alerts_of.get(recorded, ()))
        ]
        return await self._wait(lambda: next((self._incidents[key] for key in alerts if key in self._incidents), None))

    async def _wait(self, look: Callable[[], T | None]) -> T | None:
        clock = self._connection.clock
        give_up_at = clock.monotonic() + _PATIENCE
        while (found := look()) is None and clock.monotonic() < give_up_at:
            await clock.sleep(_PAUSE)
        return found

    async def _take(self, events: Sequence[Envelope[Payload]]) -> None:
        for envelope in events:
            match envelope.data:
                case AlertGrouped(alert=alert):
                    self._incidents[alert.fingerprint, alert.episode] = envelope.incident
                case ActionProposed(runbook=runbook, step=step, action=action):
                    self._actions[envelope.incident, runbook, step] = action
