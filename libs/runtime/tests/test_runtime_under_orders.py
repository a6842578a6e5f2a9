"""What is made of a playbook under standing orders: made once, and anew when an order changes."""

from typing import Any, cast

from runtime_builders import NOW

from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders
from tocsin_runtime.orders import Orders
from tocsin_runtime.under_orders import UnderOrders
from tocsin_schemas import Actor, PlaybookRef
from tocsin_schemas.events import OverrideSet

REF = PlaybookRef(name="shop", revision="0" * 12)
OTHER = PlaybookRef(name="shop", revision="1" * 12)
OVERRIDE = OverrideSet(
    override="o1",
    schedule="primary",
    person="bob",
    begins_at=NOW,
    ends_at=NOW.replace(year=NOW.year + 1),
    by=Actor.person("ada", "cli"),
)


class Ordered:
    """Orders that are what a test says."""

    def __init__(self) -> None:
        self.standing = NO_ORDERS
        self.laid: list[str] = []

    def lay(self, made: str, orders: StandingOrders) -> str:
        self.laid.append(made)
        return f"{made} under {len(orders.overrides)}"


def under(orders: Ordered) -> UnderOrders[str]:
    return UnderOrders(cast(Orders, cast(Any, orders)), orders.lay)


def test_where_nothing_is_ordered_it_is_itself_and_nothing_is_made() -> None:
    orders = Ordered()
    assert under(orders).of(REF, "a") == "a"
    assert orders.laid == []


def test_each_revision_is_made_once_until_an_order_changes() -> None:
    orders = Ordered()
    made = under(orders)
    orders.standing = StandingOrders(overrides=(OVERRIDE,))
    assert [made.of(REF, "a"), made.of(REF, "a"), made.of(OTHER, "b")] == ["a under 1", "a under 1", "b under 1"]
    assert orders.laid == ["a", "b"]
    orders.standing = StandingOrders(overrides=(OVERRIDE, OVERRIDE))
    assert made.of(REF, "a") == "a under 2"
    orders.standing = NO_ORDERS
    assert made.of(REF, "a") == "a"
    assert orders.laid == ["a", "b", "a"]
