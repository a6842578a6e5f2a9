"""Carts, in memory: the oldest are dropped when there are too many."""

from collections import OrderedDict
from collections.abc import Mapping

from storefront.errors import BadFieldError

MOST_OF_ONE = 99
"""How many of one product fit into a cart."""

Lines = dict[str, int]
"""Quantity by product id."""


class Carts:
    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._carts: OrderedDict[str, Lines] = OrderedDict()

    def add(self, cart: str, product: str, quantity: int) -> Mapping[str, int]:
        lines = self._carts.get(cart, {})
        total = lines.get(product, 0) + quantity
        if total > MOST_OF_ONE:
            raise BadFieldError("quantity", f"such that a cart holds at most {MOST_OF_ONE} of one product")
        self._store(cart, lines | {product: total})
        return self._carts[cart]

    def read(self, cart: str) -> Mapping[str, int] | None:
        return self._carts.get(cart)

    def take(self, cart: str) -> Lines | None:
        """Hands the cart over to one checkout, so that two at once cannot both charge for it."""
        return self._carts.pop(cart, None)

    def put_back(self, cart: str, lines: Lines) -> None:
        """After a failed checkout; what was added meanwhile stays."""
        meanwhile = self._carts.get(cart, {})
        products = lines.keys() | meanwhile.keys()
        merged = {p: min(MOST_OF_ONE, lines.get(p, 0) + meanwhile.get(p, 0)) for p in sorted(products)}
        self._store(cart, merged)

    def drop_all(self) -> int:
        count = len(self._carts)
        self._carts.clear()
        return count

    def __len__(self) -> int:
        return len(self._carts)

    def _store(self, cart: str, lines: Lines) -> None:
        self._carts[cart] = lines
        self._carts.move_to_end(cart)
        if len(self._carts) > self._limit:
            self._carts.popitem(last=False)
