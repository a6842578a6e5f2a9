"""Rulebooks by playbook revision, with the standing orders of people over them: each is laid out once."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from tocsin_escalator.core.grouping import Alert, UnknownPlaybook, playbook_of
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import Playbook
from tocsin_playbook.standing_orders import StandingOrders, under_orders
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks, UnknownPlaybookError
from tocsin_runtime.under_orders import UnderOrders
from tocsin_schemas import PlaybookRef

__all__ = ["Rulebooks"]

log = structlog.get_logger(__name__)


class Rulebooks:
    """The published playbooks, ready for deciding."""

    def __init__(self, playbooks: Playbooks, orders: Orders) -> None:
        self._playbooks = playbooks
        self._under_orders = UnderOrders(orders, _lay)
        self._made: dict[PlaybookRef, Rulebook] = {}
        self._said: set[tuple[str, str]] = set()

    def problem(self) -> str | None:
        """Why nothing can be decided; none if something can."""
        return None if self._playbooks.heads() else "no playbook has been published"

    def in_force(self) -> Sequence[Playbook]:
        """The playbooks that new incidents are opened under, as they were published."""
        return [self._playbooks.get(ref) for ref in self._playbooks.heads().values()]

    def of_alert(self, alert: Alert, *, waited: bool) -> Rulebook | None:
        """The rulebook for an alert; none if it must wait: no playbook at all, or (unless it has `waited`) not the
        one it names.
        """
        known = alert.playbook is not None and self._exact(alert.playbook) is not None
        found = playbook_of(alert, self._playbooks.heads(), known)
        if isinstance(found, UnknownPlaybook):
            if not waited:
                return None
            self._say("an alert names a playbook that is not published", found.named, found.otherwise)
            found = found.otherwise
        return None if found is None else self._exact(found)

    def of_incident(self, ref: PlaybookRef) -> Rulebook | None:
        """The rulebook an incident is pinned to; the one in force of that name if this revision cannot be had."""
        exact = self._exact(ref)
        if exact is not None:
            return exact
        head = self._playbooks.head(ref.name)
        if head is None:
            return None
        self._say("an incident's playbook revision cannot be had", f"{ref.name} {ref.revision}", head)
        return self._exact(head)

    def _say(self, what: str, wanted: str, taken: PlaybookRef) -> None:
        """Once for each: this can concern every message."""
        if (what, wanted) not in self._said:
            self._said.add((what, wanted))
            log.warning(what, wanted=wanted, taken=f"{taken.name} {taken.revision}")

    def _exact(self, ref: PlaybookRef) -> Rulebook | None:
        made = self._made.get(ref) or self._make(ref)
        return None if made is None else self._under_orders.of(ref, made)

    def _make(self, ref: PlaybookRef) -> Rulebook | None:
        try:
            playbook = self._playbooks.get(ref)
        except UnknownPlaybookError:
            return None
        made = self._made[ref] = make_rulebook(ref, playbook)
        for problem in made.problems:
            log.error("a condition of the playbook is wrong", playbook=ref.name, revision=ref.revision, reason=problem)
        return made


def _lay(made: Rulebook, orders: StandingOrders) -> Rulebook:
    return replace(made, playbook=under_orders(made.playbook, orders))
