"""The shop itself, without HTTP: its parts, and what a customer can do with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from storefront.carts import Carts, Lines
from storefront.catalogue import Catalogue, Product
from storefront.errors import NotFoundError, ShopError
from storefront.gateway import Gateway
from storefront.health import Check, Checkouts, Memory, Probes
from storefront.memory import Leak
from storefront.releases import Releases


@dataclass(frozen=True, slots=True)
class Order:
    id: UUID
    total_cents: int


@dataclass(frozen=True, slots=True)
class Store:
    catalogue: Catalogue
    carts: Carts
    gateway: Gateway
    releases: Releases
    leak: Leak
    checkouts: Checkouts
    probes: Probes
    memory: Memory

    async def product(self, product_id: str) -> Product:
        product = await self.catalogue.find(product_id)
        if product is None:
            raise NotFoundError("product", "no such product; GET /products lists them all")
        return product

    async def add_to_cart(self, cart: str, product_id: str, quantity: int) -> Mapping[str, int]:
        product = await self.product(product_id)
        return self.carts.add(cart, product.id, quantity)

    def cart(self, cart: str) -> Mapping[str, int]:
        lines = self.carts.read(cart)
        if lines is None:
            raise NotFoundError("cart", "no such cart, or nothing in it")
        return lines

    async def check_out(self, cart: str) -> Order:
        """Charges for the cart and empties it; if anything fails the cart is as it was. Raises ShopError."""
        lines = self.carts.take(cart)
        if lines is None:
            raise NotFoundError("cart", "no such cart, or nothing in it")
        attempt = self.checkouts.start()
        failed = True
        try:
            order = await self._sell(lines)
            failed = False
            return order
        finally:
            self.checkouts.finish(attempt, failed=failed)
            if failed:
                self.carts.put_back(cart, lines)

    async def rehearse(self) -> None:
        """A checkout of nothing, for the health checks: all that a real one goes through, without cart and charge.

        So health is known, and recovers, without customers, and no lack of customers looks like recovery.
        """
        attempt = self.checkouts.start()
        provider, ok = await self.gateway.probe()
        self.probes.record(provider, ok)
        try:
            self.releases.check_out()
        except ShopError:
            ok = False
        self.checkouts.finish(attempt, failed=not ok)

    def health(self) -> dict[str, Check]:
        return {
            "checkouts": self.checkouts.check(),
            "payments": self.probes.check(self.gateway.active),
            "memory": self.memory.check(),
        }

    async def _sell(self, lines: Lines) -> Order:
        self.releases.check_out()
        total = 0
        for product_id, quantity in lines.items():
            total += (await self.product(product_id)).price_cents * quantity
        order = Order(uuid4(), total)
        await self.gateway.charge(order.id, total)
        await self.catalogue.record_order(str(order.id), total)
        return order
