"""What follows from an alert that fires, is renewed, or ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_escalator.core.classify import Verdict, classify, may_have_risen
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.escalation import begin, resume
from tocsin_escalator.core.grouping import Group, title_of
from tocsin_escalator.core.impact import said_by, told_by
from tocsin_escalator.core.incident import PART_OF_ANOTHER, AlertKey, IncidentState, Mute
from tocsin_escalator.core.lifecycle import Answer, Input, answer
from tocsin_escalator.core.merging import watch
from tocsin_escalator.core.muting import NOTHING_MUTES, Mutes, mute, unmute
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.core.severity import raise_by, tell_at_once
from tocsin_schemas import Event, GroupedAlert, Impact
from tocsin_schemas.events import (
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertResolved,
    ImpactStated,
    IncidentOpened,
    IncidentReopened,
    IncidentResumed,
    SeverityChanged,
)
from tocsin_schemas.text import clean_line

__all__ = ["Slot", "decide_alert_fired", "decide_alert_resolved"]

_NOTHING = Impact()
_OLDEST = timedelta(days=30)
"""A source that says its alert began earlier than this has its clock wrong, or means "always"."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place among a group's incidents: that of `incident`, whether or not it has been opened yet."""

    group: Group
    number: int
    incident: str
    previous: str | None = None
    day_number: int | None = None


def decide_alert_fired(
    state: IncidentState,
    alert: AlertFired,
    slot: Slot,
    rulebook: Rulebook,
    now: datetime,
    mutes: Mutes = NOTHING_MUTES,
) -> tuple[Event, ...]:
    """Open, join, resume or reopen the incident; or raise its severity; or nothing."""
    key = AlertKey(alert.fingerprint, alert.episode)
    given = Input.ALERT_FIRED
    if state.knows(key):
        given = Input.ALERT_RENEWED if key in state.firing else Input.ALERT_FIRED_LATE
    draft = Draft(state, rulebook, now)
    match answer(state.phase, given):
        case _ if key in state.moved:
            return ()  # it is another incident's by now
        case Answer.OPEN:
            _open(draft, alert, slot, mutes)
        case Answer.JOIN:
            _take(draft, alert, mutes)
        case Answer.RESUME:
            draft.add(IncidentResumed(rule=alert.rule))
            _resume(draft, alert, mutes)
        case Answer.REOPEN:
            draft.add(IncidentReopened(by=SYSTEM, because=clean_line(f"{alert.rule} fires again")))
            _rejoin(draft, alert, mutes)
        case Answer.REFRESH:
            _refresh(draft, alert, key)
        case _:
            return ()
    return draft.done()


def decide_alert_resolved(
    state: IncidentState, alert: AlertResolved, rulebook: Rulebook, now: datetime
) -> tuple[Event, ...]:
    """The alert has ended. When it was the last one, the incident is watched.

    An end that overtakes its beginning is recorded too: the beginning then finds that it is over.
    """
    key = AlertKey(alert.fingerprint, alert.episode)
    if key in state.ended or key in state.moved:
        return ()
    given = Input.ALERT_ENDED if key in state.firing else Input.ALERT_ENDED_FIRST
    if answer(state.phase, given) is not Answer.CLEAR:
        return ()
    draft = Draft(state, rulebook, now)
    draft.add(
        AlertCleared(
            fingerprint=alert.fingerprint,
            episode=alert.episode,
            rule=alert.rule,
            ends_at=alert.ends_at,
            reason=alert.reason,
        )
    )
    watch(draft)
    return draft.done()


# --- how --------------------------------------------------------------------------------------------------------------


def _open(draft: Draft, alert: AlertFired, slot: Slot, mutes: Mutes) -> None:
    now = draft.now
    verdict = classify(alert, draft.state, draft.rulebook, now)
    draft.add(
        IncidentOpened(
            group_key=slot.group.key,
            episode=slot.number,
            title=title_of(alert, slot.group),
            summary=alert.summary,
            severity=verdict.severity,
            labels=slot.group.labels,
            playbook=draft.rulebook.ref,
            started_at=alert.starts_at if now - _OLDEST <= alert.starts_at <= now else now,
            previous=slot.previous,
            day_number=slot.day_number,
        )
    )
    by = _group(draft, alert, verdict, mutes)
    wait = draft.rulebook.playbook.group.wait
    if by is None and wait:
        by = Mute("wait", f"{wait.total_seconds():g} s", "alerts are collected", until=now + wait)
    if by is not None:
        mute(draft, by)
    begin(draft, "opened")
    tell_at_once(draft, verdict)


def _take(draft: Draft, alert: AlertFired, mutes: Mutes) -> bool:
    """The alert joins an open incident; the answer is whether its severity rose, and with it all was started anew."""
    verdict = classify(alert, draft.state, draft.rulebook, draft.now)
    by, before = _group(draft, alert, verdict, mutes), draft.state.muted
    if by is not None or before is None or before.why == "wait" or _is_part(before, mutes):
        return raise_by(draft, verdict)
    if _asks_for_more(draft, verdict):
        draft.add(_changed(draft, verdict))
    unmute(draft, f"{alert.rule} fires too, which nothing mutes")
    tell_at_once(draft, verdict)
    return True


def _resume(draft: Draft, alert: AlertFired, mutes: Mutes) -> None:
    """The only alert that fires has come back: it alone says whether the incident is muted."""
    verdict = classify(alert, draft.state, draft.rulebook, draft.now)
    by, before = _group(draft, alert, verdict, mutes), draft.state.muted
    if by is not None and not (before is not None and _is_part(before, mutes)):
        mute(draft, by)
    elif before is not None and not _is_part(before, mutes):
        unmute(draft, f"{alert.rule} fires, which nothing mutes")
        return
    if not raise_by(draft, verdict):
        resume(draft)


def _rejoin(draft: Draft, alert: AlertFired, mutes: Mutes) -> None:
    verdict = classify(alert, draft.state, draft.rulebook, draft.now)
    by = _group(draft, alert, verdict, mutes)
    if _asks_for_more(draft, verdict):
        draft.add(_changed(draft, verdict))
    if by is not None:
        mute(draft, by)
    begin(draft, "reopened")
    tell_at_once(draft, verdict)


def _refresh(draft: Draft, alert: AlertFired, key: AlertKey) -> None:
    known = draft.state.firing[key]
    if not may_have_risen(alert, known, draft.rulebook):
        return
    verdict = classify(alert, draft.state, draft.rulebook, draft.now)
    if draft.rulebook.is_more_severe(verdict.severity, known.severity):
        _group(draft, alert, verdict, NOTHING_MUTES)
        raise_by(draft, verdict)


def _is_part(before: Mute, mutes: Mutes) -> bool:
    """Whether it is a part of another incident, of which people are told."""
    return before.why in PART_OF_ANOTHER and mutes.kin.stands_for(before)


def _asks_for_more(draft: Draft, verdict: Verdict) -> bool:
    """Alerts only raise a severity, and not one that a person has said."""
    state = draft.state
    return not state.severity_is_a_persons and draft.rulebook.is_more_severe(verdict.severity, state.severity)


def _changed(draft: Draft, verdict: Verdict) -> SeverityChanged:
    return SeverityChanged(
        before=draft.state.severity, after=verdict.severity, why=verdict.why, because=verdict.because, by=SYSTEM
    )


def _group(draft: Draft, alert: AlertFired, verdict: Verdict, mutes: Mutes) -> Mute | None:
    """The alert is part of the incident; the answer is what mutes it."""
    opened_at = draft.state.opening.opened_at if draft.state.opening is not None else None
    by = mutes.of(alert.rule, alert.labels, draft.state.incident, draft.now, opened_at)
    grouped = GroupedAlert(
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        rule=alert.rule,
        severity=verdict.severity,
        labels=alert.labels,
        summary=alert.summary,
        starts_at=alert.starts_at,
        value=alert.value,
        muted=clean_line(f"{by.why}: {by.name}") if by is not None else None,
        explained_by=by.explained_by if by is not None else None,
    )
    draft.add(AlertGrouped(alert=grouped))
    said = told_by(draft.state, said_by(alert.labels, alert.annotations))
    if said != (draft.state.impact or _NOTHING):
        draft.add(ImpactStated(impact=said, by=SYSTEM))
    return by
