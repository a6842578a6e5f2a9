"""Which of a person's contacts a page uses, and when: their own notification rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tocsin_playbook.model import Contact, Person


@dataclass(frozen=True, slots=True)
class NotificationStep:
    """One message of a page that nobody has answered yet."""

    after: timedelta
    """How long after the page."""
    contact: Contact
    otherwise: tuple[Contact, ...]
    """What is tried at once, in this order, where the contact cannot be reached."""


def steps_for(person: Person, severity: str) -> tuple[NotificationStep, ...]:
    """What a page of this severity does to reach a person until they answer, in order of time.

    Without rules for the severity there is one step: the first contact at once, the others where it fails. A step
    by a rule falls back on the contacts of the steps after it, then on those the rules leave out. A rule for a
    contact that the person does not have is passed over. Empty for a person without contacts.
    """
    ways = {contact.called: contact for contact in reversed(person.contacts)}
    rules = [
        rule for rule in person.rules if rule.contact in ways and (not rule.severities or severity in rule.severities)
    ]
    if not rules:
        return tuple(NotificationStep(timedelta(), first, person.contacts[1:]) for first in person.contacts[:1])
    chosen = [(rule.after, ways[rule.contact]) for rule in sorted(rules, key=lambda rule: rule.after)]
    used = [contact for _, contact in chosen]
    left = [contact for contact in person.contacts if contact not in used]
    return tuple(
        NotificationStep(after, contact, _others(contact, [*used[index + 1 :], *left]))
        for index, (after, contact) in enumerate(chosen)
    )


def _others(contact: Contact, candidates: list[Contact]) -> tuple[Contact, ...]:
    return tuple(dict.fromkeys(each for each in candidates if each != contact))
