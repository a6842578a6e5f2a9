"""A test from a recorded incident: what came from outside is given and done again, what was decided is expected.

What the outsides answered is taken from what became of the actions. The times of what is expected have some room,
since machines and people were slower than a rehearsal is.
"""

import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML

from tocsin_playbook import load
from tocsin_playbook.model.durations import format_duration
from tocsin_recorder.core.fold import evolve
from tocsin_recorder.core.summary import Phase, empty
from tocsin_rehearsal.cases.paging import Paging
from tocsin_rehearsal.recording import Inputs
from tocsin_schemas import Command, Event, PlaybookPublished, commands
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    AlertFired,
    AlertResolved,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["NothingToWriteError", "Written", "test_of"]

_EARLY, _LATE = timedelta(seconds=5), timedelta(seconds=30)
"""How much sooner or later than recorded something may happen."""
_AFTERWARDS = timedelta(minutes=1)
_JUST_AFTER = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_OUTCOMES: Mapping[type[Event], str] = {
    ActionSucceeded: "succeeded",
    ActionFailed: "failed",
    ActionOutcomeUnknown: "unknown",
    VerificationPassed: "helped",
    VerificationFailed: "did_not_help",
}
_WELL: dict[str, object] = {"status": 200}
_ILL: dict[str, object] = {"status": 503}
_ANSWERS: Mapping[type[Event], dict[str, object]] = {
    ActionSucceeded: _WELL,
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
    yaml.representer.ignore_aliases = lambda _: True  # the same answer twice is written twice
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
        """How actions were answered, one after the other, where one of them did not simply succeed; and checks that
        did not at first."""
        answers: dict[str, list[dict[str, object]]] = {}
        for event in self._events:
            data = event.data
            if isinstance(data, ActionSucceeded | ActionFailed | ActionOutcomeUnknown):
                answers.setdefault(f"{data.runbook}/{data.step}", []).append(_ANSWERS[type(data)])
        for action, given in answers.items():
            if any(each != _WELL for each in given):
                yield {"action": action, "answers": given if len(given) > 1 else given[0]}
        for url, found in self._verified().items():
            if not found[0][1]:
                yield {"url": url, "answers": _ILL}

    def _checks(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        """Checks turn good, or bad, with the action after which that was found: just after it began, since the check
        of the action before it may end at the same moment."""
        for url, found in self._verified().items():
            for (_, before), (at, is_good) in pairwise(found):
                if is_good is not before:
                    yield at + _JUST_AFTER, {"http": [{"url": url, "answers": _WELL if is_good else _ILL}]}

    def _verified(self) -> dict[str, list[tuple[timedelta, bool]]]:
        """By the address that was asked: when each action that was verified began, and whether it was good."""
        claimed = {e.data.action: e.time for e in self._events if isinstance(e.data, ActionClaimed)}
        found: dict[str, list[tuple[timedelta, bool]]] = {}
        for event in self._events:
            data = event.data
            if not isinstance(data, VerificationPassed | VerificationFailed):
                continue
            if url := self._check_of(data.runbook, data.step):
                since = claimed.get(data.action, event.time) - self.start
                found.setdefault(url, []).append((since, isinstance(data, VerificationPassed)))
        return found

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
        """Where the incident stood after each change; that it was closed much later is nothing to wait for."""
        now, before = empty(""), ""
        for event in self._events:
            now = evolve(now, event)
            if now.opened_at is not None and now.phase not in (before, Phase.CLOSED):
                before = now.phase
                yield self._around(event.time, {"incident": {"phase": now.phase.value, "severity": now.severity}})

    def _pages(self) -> Iterator[tuple[timedelta, dict[str, Any]]]:
        """Who was paged, and who was asked to approve what."""
        paging = Paging()
        for event in self._events:
            for told in paging.moments(event, event.time - self.start):
                fields = told.fields
                if fields["outcome"] != "delivered":
                    continue
                said: dict[str, Any] = {"who": str(fields["target"]).removeprefix("person:")}
                if told.kind == "page":
                    yield self._around(event.time, {"pages": {**said, "level": fields["level"]}})
                else:
                    step = {"step": fields["step"]} if fields["step"] else {}
                    yield self._around(event.time, {"approvals": {**said, **step}})

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
        case commands.AcknowledgeAlert():
            return {"acknowledge": {"by": by}}
        case commands.Resolve():
            false_alarm = {"false_alarm": True} if command.false_alarm else {}
            return {"resolve": {"by": by, **({"notes": command.notes} if command.notes else {}), **false_alarm}}
        case commands.TakeOver() | commands.Decline() | commands.Reopen() | commands.ReleaseSeverity():
            because = getattr(command, "because", "")
            return {command.SLUG: {"by": by, **({"because": because} if because else {})}}
        case commands.AddResponder():
            return {"add_responder": {"by": by, "target": command.target}}
        case commands.Update():
            status = {"status": command.status} if command.status else {}
            return {"update": {"by": by, "text": command.text, **status}}
        case commands.StateImpact():
            return {"state_impact": {"by": by, **command.impact.model_dump(exclude_none=True)}}
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
