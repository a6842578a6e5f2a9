"""A recording in memory: every message of it as an envelope, and what of it came from outside."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tocsin_rehearsal.recording import RECORDED_STREAMS, Inputs, Recorded, inputs_of, read
from tocsin_rehearsal.recording.format import exact_time
from tocsin_rehearsal.world import World
from tocsin_schemas import Envelope, EnvelopeError, Event, Payload, encode
from tocsin_schemas.moments import format_moment

__all__ = ["Recording", "recorded_from"]


class Recording:
    """What was recorded: the envelopes of all streams in one order. What cannot be read is in `inputs.left_out`."""

    def __init__(self, messages: Sequence[Recorded]) -> None:
        self.messages = tuple(messages)
        """As they stood in their streams: subject, headers, bytes."""
        self.inputs: Inputs = inputs_of(self.messages)
        """What came from outside."""

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """Raises RecordingError, and OSError where the file cannot be read."""
        return cls(list(read(path)))

    def __iter__(self) -> Iterator[Envelope[Payload]]:
        for message in self.messages:
            with suppress(EnvelopeError):
                yield message.decode()

    def __len__(self) -> int:
        """How many messages it holds."""
        return len(self.messages)

    @property
    def alerts(self) -> list[Envelope[Payload]]:
        """Every `AlertFired` and `AlertResolved`."""
        return self._inputs("ALERTS")

    @property
    def commands(self) -> list[Envelope[Payload]]:
        """Every command. One that was carried out left its stream, and is built from the event that answered it."""
        return self._inputs("COMMANDS")

    @property
    def playbooks(self) -> list[Envelope[Payload]]:
        """Every `PlaybookPublished`."""
        return self._inputs("PLAYBOOKS")

    @property
    def log(self) -> list[Envelope[Event]]:
        """Every event of incidents."""
        return list(self.inputs.events)

    def _inputs(self, stream: str) -> list[Envelope[Payload]]:
        given = (*self.inputs.playbooks, *self.inputs.messages)
        return [each.envelope for each in given if each.stream == stream]


def recorded_from(world: World) -> list[Recorded]:
    """What a world's streams hold, as `tocsin record` would have recorded it."""
    streams = [
        [
            (exact_time(format_moment(stored.at)), rank, stored.sequence, stored.subject, stored.envelope)
            for stored in world.broker.streams[name].after(0)
        ]
        for rank, name in enumerate(RECORDED_STREAMS)
    ]
    found = []
    for time, rank, sequence, subject, envelope in heapq.merge(*streams, key=lambda each: each[:3]):
        headers, body = encode(envelope)
        found.append(Recorded(RECORDED_STREAMS[rank], sequence, time, subject, tuple(headers.items()), body))
    return found
