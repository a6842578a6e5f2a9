"""Puts the shop and its two payment providers on their ports, in one process and one event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from storefront.admin import Admin
from storefront.cache import Cache
from storefront.carts import Carts
from storefront.catalogue import Catalogue, Database, Product
from storefront.faults import Faults
from storefront.gateway import Gateway, ProviderName
from storefront.health import Checkouts, Memory, Probes
from storefront.ledger import Ledger
from storefront.memory import Leak, resident_bytes
from storefront.metrics import Metrics
from storefront.payments import Provider
from storefront.releases import Releases
from storefront.settings import Settings
from storefront.shop import build_shop
from storefront.store import Store

GRACE_SECONDS = 0.5
"""How long requests may take to end once the shop is told to stop."""


@dataclass(frozen=True, slots=True)
class Running:
    url: str
    provider_urls: dict[ProviderName, str]


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """The shop, ready for requests until the block ends. Raises OSError if its port is taken."""
    shop_socket = _listen(settings.host, settings.port)
    providers = {name: Provider(name, settings.payment_takes) for name in ProviderName}
    sockets = {name: _listen("127.0.0.1", 0) for name in ProviderName}
    provider_urls = {name: _url(provider_socket) for name, provider_socket in sockets.items()}

    gateway = Gateway(provider_urls, settings.payment_timeout, settings.probe_timeout)
    database = Database(settings.database_takes)
    store = _build_store(settings, gateway, database)
    ledger = Ledger()
    admin = Admin(
        store,
        Faults(providers[ProviderName.PRIMARY], store.leak, store.releases),
        ledger,
        settings.admin_token,
    )
    shop = build_shop(store, admin, Metrics(store, ledger))

    served: list[tuple[ASGIApp, socket.socket]] = [(shop, shop_socket)]
    served += [(provider.app(), sockets[name]) for name, provider in providers.items()]
    try:
        async with _served(served), _rehearsed(store, settings):
            yield Running(_url(shop_socket), provider_urls)
    finally:
        gateway.close()
        store.leak.free()
        database.close()


def _build_store(settings: Settings, gateway: Gateway, database: Database) -> Store:
    cache: Cache[tuple[Product, ...]] = Cache(settings.cache_ttl, settings.clock)
    return Store(
        catalogue=Catalogue(database, cache),
        carts=Carts(),
        gateway=gateway,
        releases=Releases(),
        leak=Leak(settings.leak_cap),
        checkouts=Checkouts(settings.health_window, settings.slow_checkout, settings.clock),
        probes=Probes(settings.health_window, settings.clock),
        memory=Memory(resident_bytes, resident_bytes(), settings.memory_headroom),
    )


@contextlib.asynccontextmanager
async def _rehearsed(store: Store, settings: Settings) -> AsyncIterator[None]:
    """Rehearses a checkout again and again; the first time before anyone is told that the shop is ready."""

    async def keep_rehearsing() -> None:
        while True:
            await asyncio.sleep(settings.rehearse_every.total_seconds())
            await store.rehearse()

    await store.rehearse()
    task = asyncio.create_task(keep_rehearsing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class _Server(uvicorn.Server):
    """A server among several: signals are the process's business, not each server's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _served(served: list[tuple[ASGIApp, socket.socket]]) -> AsyncIterator[None]:
    """Serves each app on its socket; at the end they all stop together, within the grace for requests."""
    servers = [_Server(_quiet(_ending_well(app))) for app, _ in served]
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening]))
        for server, (_, listening) in zip(servers, served, strict=True)
    ]
    try:
        for server in servers:
            await server.accepting.wait()
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for server in servers:
            for request in server.server_state.tasks:
                request.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _ending_well(app: ASGIApp) -> ASGIApp:
    """Requests are cancelled only when the grace is over; whoever still waits then is told so."""

    async def ending_well(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            await PlainTextResponse("stopping", 503)(scope, receive, send)

    return ending_well


def _quiet(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="error",
        timeout_keep_alive=30,  # longer than clients keep idle connections, so that none meets a closing one
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without, answers wait 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
