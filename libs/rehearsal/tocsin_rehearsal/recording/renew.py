"""Messages made new: moved to another time, and given names that a live system has not seen.

Names are derived from the old ones and the name of the replay, so the same replay repeated sends the same messages,
which the streams take once, and another replay sends others.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tocsin_rehearsal.recording.inputs import Input
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import derive_id, span_id, trace_id
from tocsin_schemas.moments import EARLIEST, LATEST

__all__ = ["Renewal"]


@dataclass
class Renewal:
    """Makes what is sent from what was recorded. `run` names the replay; without one all names are kept."""

    run: str | None
    _starts: dict[str, datetime] = field(default_factory=dict)

    def episode(self, episode: str) -> str:
        """What an alert's firing is called in this replay."""
        return episode if self.run is None else derive_id("replay", self.run, episode)

    def message(self, name: str) -> str:
        """What a message is called in this replay."""
        return name if self.run is None else derive_id("replay", self.run, name)

    def moved(self, given: Input, at: datetime) -> Envelope[Payload]:
        """The message as it is sent at `at`: its time, and every moment in its data, are moved by the same offset.

        At another speed than 1x the offset grows smaller from message to message; the moment at which a firing
        began is moved once, with its first message.
        """
        envelope, offset = given.envelope, at - given.at
        data = self._named(_moved(envelope.data, offset))
        if isinstance(data, AlertFired):
            data = data.model_copy(update={"starts_at": self._starts.setdefault(data.episode, data.starts_at)})
        moved = replace(envelope, time=_within(envelope.time + offset), data=data, sequence=0)
        if self.run is None:
            return moved
        name = self.message(envelope.id)
        trace = trace_id(envelope.incident or name)
        return replace(
            moved,
            id=name,
            cause=derive_id("replay", self.run, envelope.cause) if envelope.cause else "",
            traceparent=f"00-{trace}-{span_id(name)}-01",
        )

    def _named(self, data: Payload) -> Payload:
        if isinstance(data, AlertFired | AlertResolved):
            return data.model_copy(update={"episode": self.episode(data.episode)})
        return data


def _moved(data: Payload, offset: timedelta) -> Payload:
    """With every moment of the data moved; they all stand at its top."""
    moments = {name: _within(value + offset) for name, value in data if isinstance(value, datetime)}
    return data.model_copy(update=moments) if moments else data


def _within(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)
