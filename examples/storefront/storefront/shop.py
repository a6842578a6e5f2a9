"""The shop's HTTP interface: customers, health and metrics; the operator's part is in `admin`."""

import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from storefront.admin import Admin
from storefront.errors import BadFieldError, ShopError
from storefront.fields import read_fields
from storefront.memory import Leak
from storefront.metrics import Measure, Metrics
from storefront.store import Store

BODY_LIMIT = 64 * 1024
MOST_AT_ONCE = 99
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME_RULE = "1 to 64 letters, digits, '-' or '_'"
NOT_CUSTOMERS = ("/admin", "/health", "/metrics")


def build_shop(store: Store, admin: Admin, metrics: Metrics) -> Starlette:
    pages = Pages(store, metrics)
    return Starlette(
        routes=[*pages.routes(), *admin.routes()],
        middleware=[Middleware(Measure, metrics=metrics), Middleware(LeakPerRequest, leak=store.leak)],
        exception_handlers={ShopError: _answer_shop_error, HTTPException: _answer_http_exception},
        max_body_size=BODY_LIMIT,
    )


class Pages:
    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def routes(self) -> list[Route]:
        return [
            Route("/products", self._products),
            Route("/products/{id}", self._product),
            Route("/cart/{cart}", self._cart),
            Route("/cart/{cart}/items", self._add_item, methods=["POST"]),
            Route("/checkout", self._check_out, methods=["POST"]),
            Route("/health", self._health),
            Route("/health/live", self._live),
            Route("/metrics", self._show_metrics),
        ]

    async def _products(self, _: Request) -> Response:
        return JSONResponse({"products": [product.body() for product in await self._store.catalogue.all()]})

    async def _product(self, request: Request) -> Response:
        product = await self._store.product(request.path_params["id"])
        return JSONResponse(product.body())

    async def _cart(self, request: Request) -> Response:
        cart = _cart_name(request)
        return JSONResponse({"cart": cart, "items": dict(self._store.cart(cart))})

    async def _add_item(self, request: Request) -> Response:
        cart = _cart_name(request)
        fields = read_fields(await request.body())
        product = fields.text("product", NAME, f"a product's id: {NAME_RULE}")
        quantity = fields.whole("quantity", 1, MOST_AT_ONCE, default=1)
        fields.done()
        items = await self._store.add_to_cart(cart, product, quantity)
        return JSONResponse({"cart": cart, "items": dict(items)}, 201)

    async def _check_out(self, request: Request) -> Response:
        fields = read_fields(await request.body())
        cart = fields.text("cart", NAME, NAME_RULE)
        fields.done()
        order = await self._store.check_out(cart)
        return JSONResponse({"order": str(order.id), "total_cents": order.total_cents}, 201)

    async def _health(self, _: Request) -> Response:
        checks = self._store.health()
        ok = all(check.ok for check in checks.values())
        body = {
            "status": "ok" if ok else "failing",
            "version": self._store.releases.current.version,
            "checks": {name: {"ok": check.ok, "says": check.says} for name, check in checks.items()},
        }
        return JSONResponse(body, 200 if ok else 503)

    async def _live(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _show_metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")


class LeakPerRequest:
    """Middleware: where the memory-leak fault leaks."""

    def __init__(self, app: ASGIApp, leak: Leak) -> None:
        self._app = app
        self._leak = leak

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(NOT_CUSTOMERS):
            self._leak.drip()
        await self._app(scope, receive, send)


def _cart_name(request: Request) -> str:
    cart = request.path_params["cart"]
    if not isinstance(cart, str) or not NAME.fullmatch(cart):
        raise BadFieldError("cart", NAME_RULE)
    return cart


async def _answer_shop_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ShopError)  # noqa: S101 (it is registered for no other)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(error.body(), error.status, headers)


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for no other)
    return JSONResponse(ShopError(error.status_code, error.detail).body(), error.status_code, error.headers)
