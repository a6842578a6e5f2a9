"""A recording lived through again in virtual time: nothing runs, nothing waits, nothing leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tocsin_playbook import load_checked
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording import Difference
from tocsin_rehearsal.replaying import replay_into
from tocsin_rehearsal.world import World
from tocsin_schemas.events import IncidentOpened

__all__ = ["LivedThrough", "live_through"]


@dataclass(frozen=True, slots=True)
class LivedThrough:
    """What came of it. `lasted` is virtual time, `compared` counts recorded events, `begun_before` the incidents that
    had begun before the recording did, and are not compared."""

    alerts: int
    commands: int
    lasted: timedelta
    compared: int
    begun_before: int
    differences: list[Difference]
    not_sent: list[str] = field(default_factory=list)


def live_through(recording: Recording, playbooks: Sequence[Path], tolerance: timedelta) -> LivedThrough:
    """Give its playbooks (or these), alerts and commands to a virtual world, and compare what is decided.

    Raises NothingToReplayError, ServiceDiedError, and PlaybookError where a playbook has errors.
    """
    texts = [_checked(path) for path in playbooks]
    done = replay_into(World, recording, playbooks=texts, tolerance=tolerance)
    inputs = recording.inputs
    opened = {event.incident for event in inputs.events if isinstance(event.data, IncidentOpened)}
    others = {event.incident for event in inputs.events} - opened
    try:
        return LivedThrough(
            alerts=inputs.alerts,
            commands=inputs.commands,
            lasted=done.world.elapsed,
            compared=sum(event.incident in opened for event in inputs.events),
            begun_before=len(others),
            differences=done.differences,
            not_sent=done.not_sent,
        )
    finally:
        done.world.close()


def _checked(path: Path) -> str:
    """The text of a playbook. Raises PlaybookError with its file's name."""
    text = path.read_text(encoding="utf-8")
    load_checked(text, source=str(path))
    return text
