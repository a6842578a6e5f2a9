"""A test from a recorded incident: what came from outside is given and done again, what was decided is expected.

What the outsides answered is taken from what became of the actions. The times of what is expected have some room,
since machines and people were slower than a rehearsal is.
"""

import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ruamel.yaml import YAML

from tocsin_playbook import load
from tocsin_playbook.model.durations import format_duration
from tocsin_rehearsal.recording import Inputs
from tocsin_schemas import Command, Event, PlaybookPublished, commands
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    AlertFired,
    AlertResolved,
    IncidentAcknowledged,
    IncidentMonitoring,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    SeverityChanged,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["NothingToWriteError", "Written", "test_of"]

_EARLY, _LATE = timedelta(seconds=5), timedelta(seconds=30)
"""How much sooner or later than recorded something may happen."""
_AFTERWARDS = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_PHASES: Mapping[type[Event], str] = {
    IncidentOpened: "triggered",
    IncidentAcknowledged: "acknowledged",
    IncidentMonitoring: "monitoring",
    IncidentResolved: "resolved",
    IncidentReopened: "triggered",
}
_OUTCOMES: Mapping[type[Event], str] = {
    ActionSucceeded: "succeeded",
    ActionFailed: "failed",
    ActionOutcomeUnknown: "unknown",
    VerificationPassed: "helped",
    VerificationFailed: "did_not_help",
}
_ANSWERS: Mapping[type[Event], dict[str, object]] = {
    ActionFailed: {"status": 400},
    ActionOutcomeUnknown: {"lost_after_effect": True},
}


class NothingToWriteError(ValueError):
    """The recording holds no playbook, or no alert."""


class Written:
    """The text of a test, and of the playbook that it is for."""

    __test__ = False  # pytest: this is none of yours

    def __init__(self, test: str, playbook: str) -> None:
        self.test, self.playbook = test, playbook


def test_of(inputs: Inputs, name: str, playbook_file: str) -> Written:
    """Make a test of what a recording came from and led to. Raises NothingToWriteError."""
    alerts = [each for each in inputs.messages if isinstance(each.envelope.data, AlertFired | AlertResolved)]
    texts = [each.envelope.data.text for each in inputs.playbooks if isinstance(each.envelope.data, PlaybookPublished)]
    if not alerts or not texts:
        raise NothingToWriteError(f"the recording holds no {'alert' if texts else 'playbook'}")
    writing = _Writing(alerts[0].envelope.time, inputs, texts[-1])
    document = {
        "apiVersion": "tocsin/v1",
        "kind": "PlaybookTest",
        "playbook": playbook_file,
        "start": writing.start.isoformat().replace("+00:00", "Z"),
        "tests": [writing.case(name)],
    }
    out = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = None  # what holds no lists and mappings stands on one line
    yaml.width = 110
    yaml.dump(document, out)
    return Written(out.getvalue(), texts[-1])


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest: this is none of yours


class _Writing:
    def __init__(self, start: datetime, inputs: Inputs, playbook: str) -> None:
        self.start = start.replace(microsecond=0)
        self._inputs, self._events = inputs, inputs.events
        self._playbook = load(playbook, source="playbook").playbook

    def case(self, name: str) -> dict[str, Any]:
        acts = sorted([*self._acts(), *self._checks()], key=lambda act: act[0])
        expected = sorted([*self._phases(), *self._pages(), *self._outcomes()], key=lambda each: each[0])
        given: dict[str, Any] = {"alerts": list(self._alerts())}
        if rules := list(self._rules()):
            given["world"] = {"http": rules}
        last = max([at for at, _ in (*acts, *expected)], default=timedelta())
        made: dict[str, Any] = {"name": name, "given": given}
        if acts:
            made["at"] = [{"at": self._shown(at), "do": act} for at, act in acts]
        made["expect"] = [statement for _, statement in expected]
        made["until"] = self._shown((last + _LATE + _AFTERWARDS) // _SECOND * _SECOND)
        return made

    # --- what is given ------------------------------------------------------------------------------------------------

    def _alerts(self) -> Iterator[dict[str, Any]]:
        """Each firing once; one whose severity changed is given with its first."""
        ended = {
            data.episode: each.envelope.time
            for each in self._inputs.messages
            if isinstance(data := each.envelope.data, AlertResolved)
        }
        seen: set[str] = set()
        for each in self._inputs.messages:
            data = each.envelope.data
            if not isinstance(data, AlertFired) or data.episode in seen:
                continue
            seen.add(data.episode)
            labels = dict(data.labels) | ({"severity": data.severity} if data.severity else {})
            alert: dict[str, Any] = {"labels": labels, "from": self._at(each.envelope.time)}
            if data.summary:
                alert["annotations"] = {"summary": data.summary}
            if data.episode in ended:
                alert["until"] = self._at(ended[data.episode])
            yield alert

    def _rules(self) -> Iterator[dict[str, Any]]:
        """How actions were answered that did not simply succeed, and checks that did not at first."""
        for event in self._events:
            data = event.data
            if (answer := _ANSWERS.get(type(data))) is not None:
                yield {"action": f"{data.runbook}/{data.step}", "answers": answer}  # type: ignore[attr-defined]  # all have
        failed = next((e.data for e in self._events if isinstance(e.data, VerificationFailed)), None)
        if failed is not None and (url := self._check_of(failed.runbook, failed.step)):
            yield {"url": url, "answers": {"status": 503}}

    def _checks(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        """Checks are good from the action on that helped."""
        claimed = {e.data.action: e.time for e in self._events if isinstance(e.data, ActionClaimed)}
        failed = any(isinstance(event.data, VerificationFailed) for event in self._events)
        for event in self._events:
            data = event.data
            if failed and isinstance(data, VerificationPassed) and (url := self._check_of(data.runbook, data.step)):
                since = claimed.get(data.action, event.time) - self.start
                yield since, {"http": [{"url": url, "answers": {"status": 200}}]}

    def _check_of(self, runbook: str, step: str) -> str | None:
        for book in self._playbook.remediate.runbooks:
            found = book.step(step) if book.name == runbook else None
            if found is not None and found.verify is not None and found.verify.http is not None:
                return found.verify.http.url
        return None

    def _acts(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        for each in self._inputs.messages:
            if isinstance(each.envelope.data, Command) and (act := _act(each.envelope.data, self._inputs.steps)):
                yield each.envelope.time - self.start, act

    # --- what is expected ---------------------------------------------------------------------------------------------

    def _phases(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        severity = ""
        for event in self._events:
            data = event.data
            if isinstance(data, IncidentOpened):
                severity = data.severity
            elif isinstance(data, SeverityChanged):
                severity = data.after
            if (phase := _PHASES.get(type(data))) is not None:
                yield self._around(event.time, {"incident": {"phase": phase, "severity": severity}})

    def _pages(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        paged = {e.data.page: e.data for e in self._events if isinstance(e.data, ResponderPaged)}
        for event in self._events:
            data = event.data
            page = paged.get(data.page) if isinstance(data, NotificationDelivered) and data.page else None
            if page is not None:
                who = page.target.removeprefix("person:")
                yield self._around(event.time, {"pages": {"who": who, "level": page.level + 1}})

    def _outcomes(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        for event in self._events:
            data = event.data
            if (outcome := _OUTCOMES.get(type(data))) is not None:
                said = {"runbook": data.runbook, "step": data.step, "outcome": outcome}  # type: ignore[attr-defined]  # all have
                yield self._around(event.time, {"actions": said})

    # --- times --------------------------------------------------------------------------------------------------------

    def _around(self, moment: datetime, statement: dict[str, Any]) -> tuple[timedelta, dict[str, Any]]:
        at = max(moment - self.start, timedelta())
        early, late = max(at - _EARLY, timedelta()), at + _LATE
        return at, {
            "between": [self._shown(early // _SECOND * _SECOND), self._shown(late // _SECOND * _SECOND)]
        } | statement

    def _at(self, moment: datetime) -> str:
        return self._shown(max(moment - self.start, timedelta()))

    def _shown(self, at: timedelta) -> str:
        return format_duration(timedelta(milliseconds=round(at.total_seconds() * 1000)))


def _act(command: Command, steps: Mapping[str, tuple[str, str]]) -> dict[str, Any] | None:
    by = command.by.name  # type: ignore[attr-defined]  # every command has it
    match command:
        case commands.Acknowledge():
            lasting = {"lasting": format_duration(command.lasting)} if command.lasting else {}
            return {"acknowledge": {"by": by, **lasting}}
        case commands.Resolve():
            return {"resolve": {"by": by, **({"notes": command.notes} if command.notes else {})}}
        case commands.Escalate():
            return {"escalate": {"by": by}}
        case commands.SetSeverity():
            return {"severity": {"by": by, "to": command.severity}}
        case commands.AssignRole():
            return {"assign": {"by": by, "role": command.role.value, "person": command.person}}
        case commands.AddNote():
            return {"note": {"by": by, "text": command.text}}
        case commands.ApproveAction():
            runbook, step = steps.get(command.action, (None, None))
            return {"approve": {"by": by, **({"runbook": runbook, "step": step} if step else {})}}
        case commands.RunAction():
            return {"run_action": {"by": by, "runbook": command.runbook, "step": command.step}}
        case commands.StopAutomation():
            return {"stop_automation": {"by": by}}
        case _:
            return None
