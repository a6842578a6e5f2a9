"""A recording in a virtual world: its inputs at their times, what was decided compared with what was recorded.

    replay = replay_into(World, Recording.read(Path("that_night.jsonl")))
    replay.differences

Alerts and commands keep their ids, so incidents have the names that they had. Targets answer as they did, and as late
(`as_recorded`); receivers take every message.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from tocsin_playbook import Playbook, load_checked
from tocsin_rehearsal.as_recorded import OutsideAsRecorded
from tocsin_rehearsal.hosts import hosts_of
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording import Difference, Input, Inputs, compare
from tocsin_rehearsal.recording.compare import TOLERANCE
from tocsin_rehearsal.world import World
from tocsin_schemas import (
    Command,
    Envelope,
    Event,
    PlaybookPublished,
    PlaybookRef,
    caused_by,
)
from tocsin_schemas.commands import ApproveAction
from tocsin_schemas.events import ActionProposed, AlertFired, AlertGrouped, AlertResolved, IncidentOpened
from tocsin_schemas.moments import EARLIEST
from tocsin_schemas.subjects import playbook_subject

__all__ = ["NothingToReplayError", "Replay", "WorldFactory", "replay_into"]

WorldFactory = Callable[..., World]
"""Makes a world: of the texts of playbooks, and the keywords of `World`."""

_LEAD = timedelta(seconds=5)
"""For how long a world has been up when the first message comes."""


class NothingToReplayError(ValueError):
    """A recording holds no playbook from its beginning, or neither alert nor command."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it. `not_sent`: inputs that could not be given to the world, each with its reason."""

    world: World
    differences: list[Difference]
    not_sent: list[str] = field(default_factory=list)


def replay_into(
    make: WorldFactory,
    recording: Recording,
    *,
    playbooks: Sequence[str] = (),
    replicas: int = 1,
    tolerance: timedelta | None = TOLERANCE,
) -> Replay:
    """Make a world without a detector, let it live through the recording, and compare.

    `playbooks`: texts that are in force instead of the recorded ones. The world's time is the recording's. Incidents
    that had begun before the recording did are left out.
    Raises NothingToReplayError, ServiceDiedError, and PlaybookError where a playbook has errors today.
    """
    inputs = _under(recording.inputs, playbooks) if playbooks else recording.inputs
    texts = _texts(inputs)
    if not texts or not inputs.messages:
        raise NothingToReplayError(
            "the recording needs a playbook from its beginning, and an alert or a command, to be replayed"
        )
    known = _loaded((*recording.inputs.playbooks, *recording.inputs.messages, *inputs.playbooks))
    begins = inputs.messages[0].at - _LEAD
    world = make(
        texts,
        start=begins,
        replicas=replicas,
        leave_out=("detector",),  # what it decided is what comes in
        settings={"remediator": {"allowed_hosts": hosts_of(known.values())}},
    )
    world.web.fault_of = OutsideAsRecorded(world, inputs.events, known).answer
    messages = _Messages(world, inputs)
    for given in inputs.messages:
        world.at(given.at - begins, partial(messages.send, given))
    world.run_until(_end(inputs) - begins + (tolerance or timedelta()))
    recorded = [event for event in inputs.events if event.incident in messages.opened]
    decided = _named_as(recorded, world.log) if playbooks else world.log
    return Replay(world, compare(recorded, decided, tolerance=tolerance), messages.not_sent)


def _end(inputs: Inputs) -> datetime:
    return max([inputs.messages[-1].at, *(event.time for event in inputs.events)])


# --- playbooks --------------------------------------------------------------------------------------------------------


def _loaded(inputs: Iterable[Input]) -> dict[PlaybookRef, Playbook]:
    published = (given.envelope.data for given in inputs)
    return {
        each.playbook: load_checked(each.text, source=each.playbook.name).playbook
        for each in published
        if isinstance(each, PlaybookPublished)
    }


def _texts(inputs: Inputs) -> list[str]:
    """What was published before the first message; the text of a name that was in force then comes last."""
    first = [given.envelope.data for given in inputs.playbooks]
    texts = dict.fromkeys(each.text for each in reversed(first) if isinstance(each, PlaybookPublished))
    return list(reversed(texts))


def _under(inputs: Inputs, texts: Sequence[str]) -> Inputs:
    """The inputs with these playbooks from the beginning, and no other."""
    given = []
    for text in texts:
        loaded = load_checked(text, source="playbook")
        ref = PlaybookRef(name=loaded.playbook.metadata.name, revision=loaded.revision)
        published = caused_by(ref.revision, 0, "playbook", "", EARLIEST, PlaybookPublished(playbook=ref, text=text))
        given.append(Input(EARLIEST, "PLAYBOOKS", playbook_subject(ref.name), published))
    messages = tuple(each for each in inputs.messages if each.stream != "PLAYBOOKS")
    return replace(inputs, playbooks=tuple(given), messages=messages)


def _named_as(recorded: Sequence[Envelope[Event]], decided: Sequence[Envelope[Event]]) -> list[Envelope[Event]]:
    """With the recorded revisions: that the playbook is another one is no difference of a decision."""
    openings = [event.data for event in recorded if isinstance(event.data, IncidentOpened)]
    then = {opening.playbook.name: opening.playbook for opening in openings}
    return [
        replace(event, data=event.data.model_copy(update={"playbook": then[event.data.playbook.name]}))
        if isinstance(event.data, IncidentOpened) and event.data.playbook.name in then
        else event
        for event in decided
    ]


# --- messages ---------------------------------------------------------------------------------------------------------


class _Messages:
    """Gives the recorded inputs to a world."""

    def __init__(self, world: World, inputs: Inputs) -> None:
        self._world, self._inputs = world, inputs
        self.opened = {event.incident for event in inputs.events if isinstance(event.data, IncidentOpened)}
        self._alerts = {key for name, keys in inputs.alerts_of.items() if name in self.opened for key in keys}
        self.not_sent: list[str] = []

    def send(self, given: Input) -> None:
        """Send it, now."""
        envelope, data = given.envelope, given.envelope.data
        kind = type(data).__name__
        if isinstance(data, AlertFired | AlertResolved) and (data.fingerprint, data.episode) not in self._alerts:
            self.not_sent.append(f"{kind} {data.rule}: none of the incidents that were opened here has taken it")
        elif not isinstance(data, Command):
            self._world.send(given.subject, envelope)
        elif (meant := self._meant(data)) is not None:
            changed = replace(envelope, data=meant, incident=getattr(meant, "incident", ""))
            self._world.send(given.subject, changed)
        else:
            self.not_sent.append(f"{kind}: there is no such incident or action here")

    def _meant(self, command: Command) -> Command | None:
        """The command about what the recorded incident, or action, is here; it has another name where the group had
        incidents before the recording."""
        recorded = getattr(command, "incident", None)
        if recorded is None:
            return command
        log = self._world.log
        firings = self._inputs.alerts_of.get(recorded, set())
        incident = next((each.incident for each in log if _takes(each.data, firings)), None)
        if incident is None:
            return None
        changed = {"incident": incident}
        if isinstance(command, ApproveAction):
            step = self._inputs.steps.get(command.action)
            proposed = [
                each.data for each in log if each.incident == incident and isinstance(each.data, ActionProposed)
            ]
            actions = [each.action for each in proposed if (each.runbook, each.step) == step]
            if not actions:
                return None
            changed["action"] = command.action if command.action in actions else actions[-1]
        return command.model_copy(update=changed)


def _takes(event: Event, firings: set[tuple[str, str]]) -> bool:
    return isinstance(event, AlertGrouped) and (event.alert.fingerprint, event.alert.episode) in firings
