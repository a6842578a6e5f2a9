"""What the shop sells and has sold: a slow database, and a cached view of it."""

import asyncio
import sqlite3
from dataclasses import asdict, dataclass
from datetime import timedelta

from storefront.cache import Cache

ORDERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    name: str
    price_cents: int

    def body(self) -> dict[str, object]:
        return asdict(self)


PRODUCTS = (
    Product("kettle", "Kettle, 1.2 l", 4_900),
    Product("teapot", "Teapot, cast iron", 6_500),
    Product("matcha-bowl", "Matcha bowl 抹茶碗", 3_800),
    Product("whisk", "Bamboo whisk 茶筅", 1_900),
    Product("cup", "Cup, stoneware", 1_400),
    Product("cafetiere", "Cafetière, 8 cups", 3_200),
    Product("grinder", "Burr grinder", 11_900),
    Product("scale", "Scale, ±0.1 g", 2_700),
    Product("filter", "Paper filters, 100", 600),
    Product("dripper", "Dripper, porcelain", 2_300),
    Product("assam", "Assam, 250 g", 1_250),
    Product("sencha", "Sencha 煎茶, 100 g", 1_600),
    Product("oolong", "Oolong 烏龍, 100 g", 1_850),
    Product("yirgacheffe", "Yirgacheffe ይርጋጨፌ, 500 g", 1_990),
    Product("huila", "Huila, 500 g", 1_790),
    Product("decaf", "Decaf, 500 g", 1_690),
)


class Database:
    """Real SQL in memory, as slow as a database across a network."""

    def __init__(self, takes: timedelta) -> None:
        self._takes = takes.total_seconds()
        self._sql = sqlite3.connect(":memory:", isolation_level=None)
        self._sql.executescript(
            """
            CREATE TABLE products (id TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
            CREATE TABLE orders (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, total_cents INTEGER NOT NULL);
            """
        )
        rows = [(product.id, product.name, product.price_cents) for product in PRODUCTS]
        self._sql.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)

    async def products(self) -> tuple[Product, ...]:
        await asyncio.sleep(self._takes)
        rows = self._sql.execute("SELECT id, name, price_cents FROM products ORDER BY name")
        return tuple(Product(*row) for row in rows)

    async def product(self, product_id: str) -> Product | None:
        await asyncio.sleep(self._takes)
        rows = self._sql.execute("SELECT id, name, price_cents FROM products WHERE id = ?", (product_id,))
        row = rows.fetchone()
        return Product(*row) if row else None

    async def record_order(self, order_id: str, total_cents: int) -> None:
        await asyncio.sleep(self._takes)
        sql = "INSERT INTO orders (id, total_cents) VALUES (?, ?)"
        number = self._sql.execute(sql, (order_id, total_cents)).lastrowid or 0
        self._sql.execute("DELETE FROM orders WHERE number <= ?", (number - ORDERS_KEPT,))

    def close(self) -> None:
        self._sql.close()


class Catalogue:
    """The products, from the cache where it knows them and from the database where it does not."""

    def __init__(self, database: Database, cache: Cache[tuple[Product, ...]]) -> None:
        self.cache = cache
        self._database = database

    async def all(self) -> tuple[Product, ...]:
        found = self.cache.get("products")
        if found is None:
            found = await self._database.products()
            self.cache.put("products", found)
        return found

    async def find(self, product_id: str) -> Product | None:
        found = self.cache.get(f"product:{product_id}")
        if found is None:
            product = await self._database.product(product_id)
            if product is None:
                return None  # not cached: strangers may ask for anything
            found = (product,)
            self.cache.put(f"product:{product_id}", found)
        return found[0]

    async def record_order(self, order_id: str, total_cents: int) -> None:
        await self._database.record_order(order_id, total_cents)
