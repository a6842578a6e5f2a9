"""Messages that are neither facts of an incident nor commands: alarm clocks, dead letters and pushed samples."""

from typing import Annotated

from pydantic import Field

from tocsin_schemas.labels import Labels
from tocsin_schemas.moments import Moment
from tocsin_schemas.parts import IncidentRef, Part, PlaybookRef
from tocsin_schemas.payload import Payload, by_type
from tocsin_schemas.text import Id, Line, Name, Text

MAX_PLAYBOOK = 500_000
"""Characters of a playbook's text; with its wrapping it stays under the server's limit of one MiB."""


class TimerDue(Payload):
    """An alarm clock rings: look at this incident. Whether anything is due, its log says."""

    incident: IncidentRef
    deadline: Id
    due_at: Moment


class DeadLettered(Payload):
    """A message that could not be handled, whole, and why."""

    service: Name
    stream: Name
    sequence: Annotated[int, Field(ge=0)]
    original_subject: Line
    reason: Text
    deliveries: Annotated[int, Field(ge=0)]
    headers: dict[str, Text] = Field(default_factory=dict, max_length=256)
    payload_base64: str = Field(default="", max_length=1_400_000)


class Sample(Part):
    """One measured value of one series."""

    name: Name
    labels: Labels
    at: Moment
    value: float


class SamplesPushed(Payload):
    """Samples that a source pushes instead of being scraped."""

    source: Name
    samples: tuple[Sample, ...] = Field(max_length=10_000)


class PlaybookPublished(Payload):
    """A playbook's text is in force from here on. The same text has the same revision, for ever."""

    playbook: PlaybookRef
    text: str = Field(max_length=MAX_PLAYBOOK, description="The YAML document")


SIGNALS: dict[str, type[Payload]] = by_type((TimerDue, DeadLettered, SamplesPushed, PlaybookPublished))
"""Every signal by its CloudEvents type."""
