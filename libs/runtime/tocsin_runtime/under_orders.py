"""What is made of a playbook, with the standing orders of people over it: laid out once until an order changes."""

from collections.abc import Callable
from typing import Generic, TypeVar

from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders
from tocsin_runtime.orders import Orders
from tocsin_schemas import PlaybookRef

__all__ = ["UnderOrders"]

T = TypeVar("T")


class UnderOrders(Generic[T]):
    """Lays the orders of the moment over what was made of a playbook. Where nothing is ordered it costs nothing."""

    def __init__(self, orders: Orders, lay: Callable[[T, StandingOrders], T]) -> None:
        """`lay` answers with what is given to it as it is under these orders."""
        self._orders, self._lay = orders, lay
        self._then = NO_ORDERS
        self._laid: dict[PlaybookRef, T] = {}

    def of(self, ref: PlaybookRef, made: T) -> T:
        """What was `made` of this revision, as it is now; itself where no order stands."""
        standing = self._orders.standing
        if not standing:
            return made
        if standing is not self._then:
            self._laid, self._then = {}, standing
        laid = self._laid.get(ref)
        if laid is None:
            laid = self._laid[ref] = self._lay(made, standing)
        return laid
