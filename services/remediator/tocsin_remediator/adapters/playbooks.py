"""Playbooks as they are now: their texts as published, with the standing orders of people over them."""

from tocsin_playbook import Playbook
from tocsin_playbook.standing_orders import under_orders
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_runtime.under_orders import UnderOrders
from tocsin_schemas import PlaybookRef

__all__ = ["OrderedPlaybooks"]


class OrderedPlaybooks:
    """The published playbooks: who stands in for somebody counts as one of those who are asked."""

    def __init__(self, playbooks: Playbooks, orders: Orders) -> None:
        self._playbooks = playbooks
        self._under_orders = UnderOrders(orders, under_orders)

    def get(self, ref: PlaybookRef) -> Playbook:
        """This revision, under the orders of this moment. Raises UnknownPlaybookError where it was not published."""
        return self._under_orders.of(ref, self._playbooks.get(ref))
