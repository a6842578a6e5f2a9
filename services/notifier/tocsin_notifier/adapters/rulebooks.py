"""Rulebooks by playbook revision, with the standing orders of people over them: each is laid out once."""

from collections.abc import Collection
from dataclasses import replace

import structlog

from tocsin_notifier.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook.standing_orders import StandingOrders, under_orders
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks, UnknownPlaybookError
from tocsin_runtime.under_orders import UnderOrders
from tocsin_schemas import PlaybookRef

__all__ = ["Rulebooks"]

log = structlog.get_logger(__name__)


class Rulebooks:
    """The published playbooks, ready for telling people."""

    def __init__(self, playbooks: Playbooks, orders: Orders, kinds: Collection[str]) -> None:
        self._playbooks = playbooks
        self._under_orders = UnderOrders(orders, _ordered)
        self._kinds = kinds
        self._made: dict[PlaybookRef, Rulebook] = {}
        playbooks.on_change(self._look)

    def _look(self) -> None:
        """Say what is wrong with a playbook when it comes into force, not when somebody must be paged."""
        for ref in self._playbooks.heads().values():
            self._exact(ref)

    def of_incident(self, ref: PlaybookRef) -> Rulebook | None:
        """The rulebook an incident is pinned to; the one in force of that name if this revision cannot be had."""
        exact = self._exact(ref)
        if exact is not None:
            return exact
        head = self._playbooks.head(ref.name)
        if head is None:
            return None
        log.warning("an incident's playbook revision cannot be had; the one in force is taken", wanted=str(ref))
        return self._exact(head)

    def _exact(self, ref: PlaybookRef) -> Rulebook | None:
        made = self._made.get(ref)
        if made is None:
            try:
                playbook = self._playbooks.get(ref)
            except UnknownPlaybookError:
                return None
            made = self._made[ref] = make_rulebook(ref, playbook, self._kinds)
            for problem in made.problems:
                log.error("something in the playbook cannot be done", playbook=ref.name, reason=problem)
        return self._under_orders.of(ref, made)


def _ordered(rulebook: Rulebook, orders: StandingOrders) -> Rulebook:
    return replace(rulebook, playbook=under_orders(rulebook.playbook, orders))
