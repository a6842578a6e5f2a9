"""What the shop measures of itself, in Prometheus' text format."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storefront.gateway import ProviderName
from storefront.ledger import Ledger
from storefront.store import Store

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 5)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CHECKOUT_CODES = (201, 404, 500, 502, 504)


class Metrics:
    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(StoreCollector(store, ledger))
        self._requests = Counter(
            "storefront_requests_total",
            "Requests answered",
            ["route", "code", "method"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "storefront_request_seconds",
            "How long requests took, in seconds",
            ["route", "method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        # A counter that is there from the start, at 0, lets rate() see the very first failure.
        for code in CHECKOUT_CODES:
            self._requests.labels("/checkout", str(code), "POST")
        self._seconds.labels("/checkout", "POST")

    def observe(self, route: str, method: str, code: int, seconds: float) -> None:
        method = method if method in METHODS else "other"
        self._requests.labels(route, str(code), method).inc()
        self._seconds.labels(route, method).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class StoreCollector(Collector):
    """Reads the store's state when it is asked for, so that nothing is counted in two places."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def collect(self) -> Iterable[Metric]:
        store, cache = self._store, self._store.catalogue.cache

        yield CounterMetricFamily("storefront_cache_hits", "Cache lookups that found", value=cache.hits)
        yield CounterMetricFamily("storefront_cache_misses", "Cache lookups that found nothing", value=cache.misses)
        yield GaugeMetricFamily("storefront_cache_entries", "Entries in the cache", value=len(cache))
        yield GaugeMetricFamily("storefront_carts", "Carts with something in them", value=len(store.carts))

        build = GaugeMetricFamily("storefront_build_info", "The release that runs", labels=["version"])
        build.add_metric([store.releases.current.version], 1)
        yield build

        active = GaugeMetricFamily(
            "storefront_payment_provider_active", "1 for the provider in use", labels=["provider"]
        )
        for provider in ProviderName:
            active.add_metric([provider], provider is store.gateway.active)
        yield active

        calls = CounterMetricFamily(
            "storefront_dependency_calls",
            "Calls of payment providers",
            labels=["provider", "call", "outcome"],
        )
        for made, count in store.gateway.calls.items():
            calls.add_metric([made.provider, made.call, made.outcome], count)
        yield calls

        actions = CounterMetricFamily("storefront_admin_actions", "Admin actions carried out", labels=["action"])
        for action, count in self._ledger.by_action.items():
            actions.add_metric([action], count)
        yield actions

        health = GaugeMetricFamily("storefront_health", "1 for each health check that passes", labels=["check"])
        for name, check in store.health().items():
            health.add_metric([name], check.ok)
        yield health


class Measure:
    """Middleware: counts and times each request under its route's template, never under its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        code = 500  # an exception that gets this far becomes one

        async def notice(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, notice)
        finally:
            route = scope.get("route")
            template = route.path if isinstance(route, Route) else "unmatched"
            self._metrics.observe(template, scope["method"], code, time.perf_counter() - started)
