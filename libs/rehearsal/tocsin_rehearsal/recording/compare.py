"""What was decided then, and what is decided now: the differences, event by event.

Pure. Incidents are matched by their group and their number in it, events within an incident by the service that
stated them, their type and their place. Ids are not compared: other inputs have other ids. Times are compared
relative to the beginning of their incident.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tocsin_rehearsal.recording.facts import Fact, facts_of, shown, shown_time
from tocsin_rehearsal.recording.receipts import told_of
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import IncidentOpened

__all__ = ["Difference", "compare", "without_actions"]

TOLERANCE = timedelta(seconds=1)
_SIDE_BY_SIDE = frozenset({"notifier"})
"""Services that carry out several things at a time: the order in which these end is nobody's decision."""

Events = Sequence[Envelope[Event]]
Kind = Literal["missing", "additional", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One event that is missing, additional, or not the same.

    `incident` is the recorded one's id (the decided one's, where nothing was recorded of it), `place` counts the
    service's events in the incident from 1, `at` is relative to the incident's beginning, `what` is what the event
    says. Where an event changed, `field` says in what (`time` and `order` are the event's own), and `recorded` and
    `decided` are both values as text.
    """

    kind: Kind
    incident: str
    service: str
    type: str
    place: int
    at: timedelta
    what: str
    field: str = ""
    recorded: str = ""
    decided: str = ""

    def __str__(self) -> str:
        where = f"{self.incident} {shown_time(self.at)} {self.service} {self.type}"
        if self.kind == "changed":
            return f"{where}: {self.field} was {self.recorded}, is {self.decided}"
        return f"{where}: {self.kind}" + (f" ({self.what})" if self.what else "")


def compare(recorded: Events, decided: Events, *, tolerance: timedelta | None = TOLERANCE) -> list[Difference]:
    """The differences between two logs, in the order of the incidents and of their time; none if they agree.

    `tolerance` is how far two times may be apart; with None they are not compared.
    """
    then, now = _incidents(recorded), _incidents(decided)
    differences: list[Difference] = []
    for key in dict.fromkeys([*then, *now]):
        differences += _compare_incident(then.get(key, ()), now.get(key, ()), tolerance)
    return differences


def without_actions(events: Events) -> list[Envelope[Event]]:
    """Without what the remediator stated and all that followed from it: for where no action is carried out."""
    about = told_of(events)
    kept, left_out = [], set()
    for event in events:
        cause = about[event.id].id if event.id in about else event.cause
        if event.data.OWNER == "remediator" or cause in left_out:
            left_out.add(event.id)
        else:
            kept.append(event)
    return kept


def _incidents(events: Iterable[Envelope[Event]]) -> dict[tuple[str, int | str], list[Envelope[Event]]]:
    """By group and number among those that were opened here; by its own id where the opening is not there."""
    by_id: dict[str, list[Envelope[Event]]] = {}
    groups: dict[str, str] = {}
    for event in events:
        by_id.setdefault(event.incident, []).append(event)
        if isinstance(event.data, IncidentOpened):
            groups[event.incident] = event.data.group_key
    counts: Counter[str] = Counter()
    keyed: dict[tuple[str, int | str], list[Envelope[Event]]] = {}
    for name, each in by_id.items():
        if (group := groups.get(name)) is None:
            keyed["", name] = each
        else:
            keyed[group, counts[group]] = each
            counts[group] += 1
    return keyed


def _compare_incident(then: Events, now: Events, tolerance: timedelta | None) -> list[Difference]:
    incident = (then or now)[0].incident
    before, after = facts_of(then), facts_of(now)
    found: list[Difference] = []
    for service in dict.fromkeys([*before, *after]):
        found += _Comparison(incident, service, tolerance).differences(before.get(service, []), after.get(service, []))
    return sorted(found, key=lambda difference: (difference.at, difference.service, difference.place))


# --- one service in one incident --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Comparison:
    incident: str
    service: str
    tolerance: timedelta | None

    def differences(self, before: Sequence[Fact], after: Sequence[Fact]) -> list[Difference]:
        pairs, missing, additional = _matched(before, after)
        found = [self._found("missing", fact) for fact in missing]
        found += [self._found("additional", fact) for fact in additional]
        for one, other in pairs:
            found += self._changes(one, other)
        return found if self.service in _SIDE_BY_SIDE else found + self._moved(pairs)

    def _changes(self, one: Fact, other: Fact) -> list[Difference]:
        found = [
            self._found("changed", one, name, shown(one.values.get(name)), shown(other.values.get(name)))
            for name in dict.fromkeys([*one.values, *other.values])
            if one.values.get(name) != other.values.get(name)
        ]
        for name in dict.fromkeys([*one.times, *other.times]):
            was, is_ = one.times.get(name), other.times.get(name)
            if not self._same_time(was, is_):
                found.append(self._found("changed", one, name, shown_time(was), shown_time(is_)))
        return found

    def _same_time(self, one: timedelta | None, other: timedelta | None) -> bool:
        if one is None or other is None:
            return one is other
        return self.tolerance is None or abs(one - other) <= self.tolerance

    def _moved(self, pairs: Sequence[tuple[Fact, Fact]]) -> list[Difference]:
        """Those that stand in another order: all but the longest run that kept its order."""
        kept = _longest_rising([other.place for _, other in pairs])
        return [
            self._found("changed", one, "order", f"number {one.place}", f"number {other.place}")
            for position, (one, other) in enumerate(pairs)
            if position not in kept
        ]

    def _found(self, kind: Kind, fact: Fact, field: str = "", recorded: str = "", decided: str = "") -> Difference:
        return Difference(
            kind, self.incident, self.service, fact.type, fact.place, fact.at, fact.summary, field, recorded, decided
        )


def _matched(
    before: Sequence[Fact], after: Sequence[Fact]
) -> tuple[list[tuple[Fact, Fact]], Sequence[Fact], Sequence[Fact]]:
    """Pairs, in the order of `before`, and what is left on either side.

    First events that say the same, each with the next of its kind; then those of the same type.
    """
    alike: tuple[Callable[[Fact], str], ...] = (lambda fact: fact.content, lambda fact: fact.type)
    pairs: list[tuple[Fact, Fact]] = []
    for key in alike:
        waiting: dict[str, list[Fact]] = defaultdict(list)
        for fact in reversed(after):
            waiting[key(fact)].append(fact)
        unmatched = []
        for fact in before:
            if candidates := waiting.get(key(fact)):
                pairs.append((fact, candidates.pop()))
            else:
                unmatched.append(fact)
        before = unmatched
        after = sorted((fact for each in waiting.values() for fact in each), key=lambda fact: fact.place)
    return sorted(pairs, key=lambda pair: pair[0].place), before, after


def _longest_rising(values: Sequence[int]) -> set[int]:
    """The positions of a longest rising run (patience sorting)."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for position, value in enumerate(values):
        place = bisect_left(tails, value)
        before.append(ends[place - 1] if place else -1)
        tails[place : place + 1] = [value]
        ends[place : place + 1] = [position]
    found: set[int] = set()
    position = ends[-1] if ends else -1
    while position >= 0:
        found.add(position)
        position = before[position]
    return found
