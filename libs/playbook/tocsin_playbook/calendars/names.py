"""Which person of the playbook an event is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin_playbook.calendars.problems import CalendarError
from tocsin_playbook.model import Playbook

_Words = tuple[str, ...]


class Names:
    """Everything that people of a playbook are called: names, full names and addresses, as sequences of words."""

    def __init__(self, playbook: Playbook) -> None:
        self._people: dict[_Words, set[str]] = {}
        for person in playbook.oncall.people:
            addresses = (contact.address for contact in person.contacts if "@" in contact.address)
            for called in (person.name, person.full_name or "", *addresses):
                if words := _words(called):
                    self._people.setdefault(words, set()).add(person.name)
        self._longest = max(map(len, self._people), default=0)

    def person(self, uid: str, summary: str, attendees: Sequence[str]) -> str:
        """The one person whom the attendees name, else the summary. Raises CalendarError for none and for several."""
        invited = set().union(*map(self._called, attendees)) if attendees else set()
        if len(invited) == 1:
            return invited.pop()
        mentioned = self._mentioned(summary)
        if len(mentioned) == 1:
            return mentioned.pop()
        if people := mentioned or invited:
            raise CalendarError(
                f"names several people: {', '.join(sorted(people))}",
                uid=uid,
                field="SUMMARY" if mentioned else "ATTENDEE",
            )
        shown = repr(summary[:80]) if summary else "an empty one"
        raise CalendarError(f"{shown} names nobody of the playbook, and no ATTENDEE does", uid=uid, field="SUMMARY")

    def _called(self, text: str) -> set[str]:
        return self._people.get(_words(text), set())

    def _mentioned(self, text: str) -> set[str]:
        """Whoever is named anywhere in a text, by whole words; of names within each other the longest counts."""
        words, at, found = _words(text), 0, set[str]()
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                if people := self._people.get(words[at : at + length]):
                    found |= people
                    at += length
                    break
            else:
                at += 1
        return found


def _words(text: str) -> _Words:
    return tuple(re.findall(r"\w+", text.casefold()))
