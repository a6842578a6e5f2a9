"""Alerts, incidents and deadlines: how things stood at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from tocsin_rehearsal.cases.compare.verdict import Place, Verdict
from tocsin_rehearsal.cases.model import AlertExpected, DeadlineExpected, Expectation, IncidentExpected
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.peaks import told_of_peaks
from tocsin_rehearsal.cases.seen import Fields, Seen, State, labels_in
from tocsin_rehearsal.cases.wording import NO_ALERT, NOTHING, in_words, when

Standing = AlertExpected | IncidentExpected | DeadlineExpected

DUE_WITHIN = timedelta(seconds=1)
"""A deadline expected at a time may be due within the second that begins then: things take a moment to begin."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """That something is so, or (`is_denial`) that it is not."""

    place: Place
    text: str
    holds: Callable[[State], bool]
    describe: Callable[[State], str]
    is_denial: bool = False
    explain: Callable[[State, timedelta], str] = lambda _state, _at: ""
    """Why it is not so at that time, where that is known."""


def judge(expectation: Expectation, name: str, seen: Seen, place: Place) -> Iterator[Verdict]:
    """The verdicts on one key of an expectation."""
    for claim in _claims(expectation, name, seen, place):
        yield _judged(claim, expectation, seen)


def _judged(claim: _Claim, expectation: Expectation, seen: Seen) -> Verdict:
    """Where it must be so throughout, the first state in which it is not breaks it; else the first in which it is
    meets it. What must not be so must not be so throughout. `by` looks at one state: the one at its time.
    """
    begin, end = expectation.window(seen.until)
    if expectation.mode == "by":
        begin = end
    always = expectation.mode == "throughout" or (expectation.mode == "between" and claim.is_denial)
    last = why = ""
    for time, state in seen.states(begin, end):
        holds = claim.holds(state)
        last = "" if holds else f"at {shown(time)} {claim.describe(state)}"
        if holds is not always:
            why = "" if holds else claim.explain(state, time)
            return Verdict(claim.place, time, when(expectation), claim.text, holds, seen=last, because=why)
        why = "" if holds else claim.explain(state, end)
    return Verdict(claim.place, end, when(expectation), claim.text, always, seen=last, because=why)


def _claims(expectation: Expectation, name: str, seen: Seen, place: Place) -> Iterator[_Claim]:
    if name == "incident" and expectation.incident is not None:
        yield _incident(expectation.incident, place)
        return
    items: tuple[AlertExpected | DeadlineExpected, ...] = getattr(expectation, name)
    if not items:
        describe = _alerts_now if name == "alerts" else _deadlines_now
        yield _Claim(place, NOTHING[name], _EMPTY[name], describe, is_denial=True)
    for index, item in enumerate(items):
        claim = _alert(item, seen, place) if isinstance(item, AlertExpected) else _deadline(item, seen, place)
        yield replace(claim, place=(*place, index))


_EMPTY: Mapping[str, Callable[[State], bool]] = {
    "alerts": lambda state: not state.alerts,
    "deadlines": lambda state: not state.deadlines,
}


# --- alerts ----------------------------------------------------------------------------------------------------------


def _alert(item: AlertExpected, seen: Seen, place: Place) -> _Claim:
    def holds(state: State) -> bool:
        return any(_is_alert(item, fields) for fields in state.alerts.values()) is item.firing

    def explain(_state: State, at: timedelta) -> str:
        return told_of_peaks(seen.peaks, at, item.name, item.severity) if item.firing else ""

    return _Claim(place, in_words(item), holds, _alerts_now, not item.firing, explain)


def _is_alert(item: AlertExpected, fields: Fields) -> bool:
    return (
        item.name in (None, fields["name"])
        and item.severity in (None, fields["severity"])
        and item.source in (None, fields["source"])
        and item.labels.items() <= labels_in(fields).items()
    )


def _alerts_now(state: State) -> str:
    names = [f"{fields['name']} ({fields['severity'] or 'no severity'})" for fields in state.alerts.values()]
    return _few(names, " fires", " fire") or NO_ALERT


# --- incidents -------------------------------------------------------------------------------------------------------


def _incident(item: IncidentExpected, place: Place) -> _Claim:
    def holds(state: State) -> bool:
        count = sum(_is_incident(item, fields, state) for fields in state.incidents.values())
        return count > 0 if item.count is None else count == item.count

    return _Claim(place, in_words(item), holds, partial(_incidents_now, item), is_denial=item.count == 0)


def _is_incident(item: IncidentExpected, fields: Fields, state: State) -> bool:
    phase = fields["phase"]
    is_phase = (
        phase not in ("resolved", "false_alarm", "closed") if item.phase == "open" else item.phase in (None, phase)
    )
    if not is_phase or item.severity not in (None, fields["severity"]):
        return False
    return item.labels.items() <= labels_in(fields).items() and not list(_other_facts(item, fields, state))


def _other_facts(item: IncidentExpected, fields: Fields, state: State) -> Iterator[str]:
    """What else is asked of it and is otherwise, in words."""
    whole = labels_in(state.incidents.get(fields["part_of"], {}))
    if not item.part_of.items() <= whole.items():
        yield f"part of {dict(whole)}" if whole else "part of no other"
    for name in ("roles", "impact"):
        asked, known = getattr(item, name), fields[name]
        wanted = asked.said if asked is not None else {}
        if isinstance(known, Mapping) and not wanted.items() <= known.items():
            said = ", ".join(f"{each} {value}" for each, value in known.items()) or "none"
            yield f"{name}: {said}"
    for name in ("origin", "war_room"):
        if getattr(item, name) not in (None, fields[name]):
            yield f"{name.replace('_', ' ')}: {fields[name] or 'none'}"


def _incidents_now(item: IncidentExpected, state: State) -> str:
    standing = [
        ", ".join([str(fields["phase"]), str(fields["severity"]), *_other_facts(item, fields, state)])
        for fields in state.incidents.values()
    ]
    if len(standing) == 1:
        return f"incident {standing[0]}"
    return f"{len(standing)} incidents: {'; '.join(standing[:4])}" if standing else "no incident"


# --- deadlines -------------------------------------------------------------------------------------------------------


def _deadline(item: DeadlineExpected, seen: Seen, place: Place) -> _Claim:
    def holds(state: State) -> bool:
        return any(_is_deadline(item, fields, seen) for fields in state.deadlines.values())

    return _Claim(place, in_words(item), holds, _deadlines_now)


def _is_deadline(item: DeadlineExpected, fields: Fields, seen: Seen) -> bool:
    due = fields["due"]
    in_time = item.due is None or (isinstance(due, timedelta) and timedelta() <= due - item.due <= DUE_WITHIN)
    return (
        item.kind.value == fields["kind"]
        and in_time
        and item.level in (None, fields["level"])
        and (not item.incident or item.incident.items() <= seen.labels_of(fields["incident"]).items())
    )


def _deadlines_now(state: State) -> str:
    names = [
        f"{fields['kind']} at {shown(due)}"
        for fields in state.deadlines.values()
        if isinstance(due := fields["due"], timedelta)
    ]
    return _few(names, " is due", " are due") or "nothing is due"


def _few(names: list[str], one: str, many: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more + (one if len(names) == 1 else many)
