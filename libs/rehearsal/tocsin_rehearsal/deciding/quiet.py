"""Messages from which nothing followed, and when they were heard."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_escalator.core.on_outcome import concerns
from tocsin_rehearsal.recording import Input
from tocsin_schemas import Envelope, Event, Payload

__all__ = ["Heard", "quiet"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message from which nothing followed, and when the server took it."""

    id: str
    incident: str
    data: Payload
    at: datetime


def quiet(
    messages: Sequence[Input], log: Sequence[Envelope[Event]], places: Mapping[str, int]
) -> dict[int, list[Heard]]:
    """Alerts and outcomes from which nothing followed, and playbooks, by the place in the log before which they were
    heard. `places`: where what followed from a message begins.

    Messages are heard in the order of their stream: not before what followed from an earlier one, however long that
    one waited. Those that come after the end of the log are left out: nobody can say what followed.
    """
    times = [event.time for event in log]
    found: dict[int, list[Heard]] = {}
    heard = 0
    for given in messages:
        message = given.envelope
        if message.id in places:
            heard = max(heard, places[message.id] + 1)
        elif given.stream != "COMMANDS":
            place = max(heard, bisect_right(times, given.at))
            found.setdefault(place, []).append(Heard(message.id, "", message.data, given.at))
    heard = 0
    for number, event in enumerate(log):
        if event.id in places:
            heard = max(heard, places[event.id] + 1)
        elif event.data.OWNER != "escalator" and concerns(event.data):
            outcome = Heard(event.id, event.incident, event.data, event.time)
            found.setdefault(max(heard, number + 1), []).append(outcome)
    return found
