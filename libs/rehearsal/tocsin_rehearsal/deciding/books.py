"""Playbooks as the escalator reads them, from a recording, with the standing orders of each moment over them."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from tocsin_escalator.core.grouping import Alert, UnknownPlaybook, playbook_of
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import load
from tocsin_playbook.standing_orders import NO_ORDERS, under_orders
from tocsin_rehearsal.recording import Input
from tocsin_schemas import Envelope, Event, Payload, PlaybookPublished, PlaybookRef

__all__ = ["Books"]


class Books:
    """Those that have been published so far."""

    def __init__(self, published: Iterable[Input], orders: Sequence[Envelope[Event]] = ()) -> None:
        self._order_times = [order.time for order in orders]
        self._standing = [NO_ORDERS]
        for order in orders:
            self._standing.append(self._standing[-1].after(order.data))
        self._ordered: dict[tuple[PlaybookRef, int], Rulebook] = {}
        self._heads: dict[str, PlaybookRef] = {}
        self._books: dict[PlaybookRef, Rulebook] = {}
        for given in published:
            self.publish(given.envelope.data)

    def publish(self, data: Payload) -> None:
        """It is in force from now on."""
        if isinstance(data, PlaybookPublished):
            self._heads = dict(sorted({**self._heads, data.playbook.name: data.playbook}.items()))
            if data.playbook not in self._books:
                self._books[data.playbook] = make_rulebook(data.playbook, load(data.text).playbook)

    def of_alert(self, alert: Alert) -> Rulebook | None:
        """None where no playbook has been published."""
        found = playbook_of(alert, self._heads, alert.playbook in self._books)
        if isinstance(found, UnknownPlaybook):
            found = found.otherwise
        return None if found is None else self._books[found]

    def under_orders(self, book: Rulebook, now: datetime) -> Rulebook:
        """The rulebook with the orders that had been given by then. When a replica had heard of one nobody can say."""
        count = bisect_right(self._order_times, now)
        if not self._standing[count]:
            return book
        ordered = self._ordered.get((book.ref, count))
        if ordered is None:
            playbook = under_orders(book.playbook, self._standing[count])
            ordered = self._ordered[book.ref, count] = replace(book, playbook=playbook)
        return ordered

    def exactly(self, ref: PlaybookRef) -> Rulebook | None:
        """This revision, else the one in force of that name; none where neither is in the recording."""
        return self._books.get(ref) or self._books.get(self._heads.get(ref.name, ref))
