"""Two people swap turns: which turn goes to whom."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from tocsin.operator import ProblemError
from tocsin_playbook import Turn, standing, turns
from tocsin_playbook.model import Schedule

__all__ = ["Turns", "swapped"]

_FAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a schedule."""

    schedule: Schedule
    holidays: Collection[date]

    def at(self, moment: datetime) -> Turn:
        """The whole turn, or the hole, that a moment is in. Raises ProblemError where it has no end within a year."""
        found = standing(self.schedule, moment, holidays=self.holidays)
        if found.since is None or found.until is None:
            raise ProblemError(f"{self.schedule.name}: the turn at {moment.isoformat()} has no end within a year")
        return Turn(found.person, found.since, found.until)

    def next_of(self, person: str, after: datetime) -> Turn | None:
        """The first whole turn of somebody that begins at this moment or later."""
        coming = turns(self.schedule, after, after + _FAR, holidays=self.holidays)
        begins = next((turn.since for turn in coming if turn.person == person), None)
        return None if begins is None else self.at(begins)


def swapped(known: Turns, person: str, other: str, at: datetime, now: datetime) -> tuple[Turn, Turn]:
    """The turn that `person` has at a moment, given to `other`, and the next one of `other` after it, given back.

    Of a turn that is under way only what is left. Raises ProblemError where there is nothing to swap.
    """
    if person == other:
        raise ProblemError(f"{person} cannot swap with themselves")
    mine = known.at(at)
    if mine.person != person:
        who = mine.person or "nobody"
        raise ProblemError(f"not {person} but {who} is on call for {known.schedule.name} at {at.isoformat()}")
    if mine.until <= now:
        raise ProblemError(f"the turn of {person} at {at.isoformat()} is over")
    theirs = known.next_of(other, mine.until)
    if theirs is None:
        raise ProblemError(f"{other} has no turn of {known.schedule.name} within a year after that of {person}")
    return Turn(other, max(mine.since, now), mine.until), replace(theirs, person=person)
