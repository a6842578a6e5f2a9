"""Who plays which part in an incident by the playbook's rules, and the room it is given."""

from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.policy import names_of
from tocsin_playbook.roles import role_called
from tocsin_schemas.events import RoleAssigned, WarRoomRequested
from tocsin_schemas.text import clean_line

__all__ = ["assign_roles", "request_room"]


def assign_roles(draft: Draft) -> None:
    """Give the parts that nobody has to whom the playbook names for this severity; not to who cannot take it."""
    for rule in draft.rulebook.playbook.oncall.roles:
        role = role_called(rule.name)
        if role is None or rule.held_by is None or role in draft.state.roles:
            continue
        if rule.severities and draft.state.severity not in rule.severities:
            continue
        named = names_of(rule.held_by, draft.rulebook.playbook, draft.now)
        people = [target.removeprefix("person:") for target in named if target.startswith("person:")]
        person = next((name for name in people if name not in draft.state.declined), None)
        if person is not None:
            draft.add(RoleAssigned(role=role, person=person, by=SYSTEM))


def request_room(draft: Draft) -> None:
    """Ask for a room where the severity wants one and the incident has none."""
    wanted, opening = draft.rulebook.playbook.communicate.war_room, draft.state.opening
    if wanted is None or opening is None or draft.state.has_room:
        return
    if wanted.severities and draft.state.severity not in wanted.severities:
        return
    invited = (name for target in wanted.invite for name in names_of(target, draft.rulebook.playbook, draft.now))
    draft.add(
        WarRoomRequested(
            channel=wanted.channel,
            name=clean_line(wanted.name_for(opening.opened_at, opening.day_number)),
            invite=tuple(dict.fromkeys(clean_line(name) for name in invited))[:256],
        )
    )
