"""A detector without NATS and without waiting: its sources answer what a test says, time is moved by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
from detector_world import MovableClock, Stream

from tocsin_detector.adapters.fetch import HttpFetch
from tocsin_detector.adapters.watch import Limits, Watch
from tocsin_detector.handlers import Watches
from tocsin_playbook import Playbook
from tocsin_schemas import PlaybookRef

ERRORS = {"name": "Errors", "expr": "errors", "ladder": [{"severity": "P1", "above": 10}]}

RATE = {"name": "Rate", "expr": "sum(rate(errors_total[10s]))", "ladder": [{"severity": "P1", "above": 1}]}
PENDING = {"name": "Pending", "expr": "errors", "ladder": [{"severity": "P1", "above": 10, "for": "10s"}]}


def playbook(*rules: Mapping[str, Any], sources: Sequence[str] = ("app",), every: str = "1s") -> Playbook:
    """A playbook that scrapes these sources, each at its own address."""
    return Playbook.model_validate(
        {
            "apiVersion": "tocsin/v1",
            "kind": "Playbook",
            "metadata": {"name": "shop"},
            "severities": [{"name": "P1"}, {"name": "P2"}],
            "sources": [
                {"name": name, "prometheus": {"scrape": f"http://{name}:9/metrics", "every": every}} for name in sources
            ],
            "detect": {"every": "1s", "rules": list(rules) or [ERRORS]},
        }
    )


class Shelf:
    """The published playbooks."""

    def __init__(self) -> None:
        self._all: dict[PlaybookRef, Playbook] = {}
        self._heads: dict[str, PlaybookRef] = {}
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, call: Callable[[], None]) -> None:
        self._on_change.append(call)

    def publish(self, text: Playbook) -> PlaybookRef:
        ref = PlaybookRef(name=text.metadata.name, revision=f"{len(self._all):012x}")
        self._all[ref] = text
        self._heads[ref.name] = ref
        for call in self._on_change:
            call()
        return ref

    def heads(self) -> dict[str, PlaybookRef]:
        return dict(self._heads)

    def get(self, ref: PlaybookRef) -> Playbook:
        return self._all[ref]


class Replica:
    """One detector. `pages` is what each source answers; None: it does not."""

    def __init__(self, stream: Stream, shelf: Shelf, pages: dict[str, str | None], patience: float = 30) -> None:
        self.stream, self.pages = stream, pages
        self.book = stream.book()
        self.shown = 0
        fetch = HttpFetch(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        limits = Limits(source_patience=timedelta(seconds=patience))
        self.watches = Watches(shelf, self.book, fetch, stream.clock, limits)  # type: ignore[arg-type]  # a double

    def _answer(self, request: httpx.Request) -> httpx.Response:
        page = self.pages.get(request.url.host)
        if page is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, text=page)

    @property
    def watch(self) -> Watch:
        return self.watches._watches["shop"]

    async def hear(self) -> None:
        """Be shown what is new in the stream."""
        news = self.stream.log[self.shown :]
        self.shown += len(news)
        if news:
            await self.book.on_events(news)

    async def scrape(self) -> None:
        for scraper in self.watch.scrapers.values():
            await scraper.scrape()

    async def pass_seconds(self, seconds: int, *, scrape: bool = True) -> None:
        """Second by second: hear, scrape, evaluate."""
        for _ in range(seconds):
            self.stream.clock.move(1)
            await self.hear()
            if scrape:
                await self.scrape()
            await self.watch.evaluate()


class Bench:
    """A stream, a clock, published playbooks, and replicas whose loops stand still: tests do the steps."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.stream = Stream(self.clock)
        self.shelf = Shelf()
        self.pages: dict[str, str | None] = {"app": "errors 0\n"}

    async def replica(self, patience: float = 30) -> Replica:
        made = Replica(self.stream, self.shelf, self.pages, patience)
        await made.hear()
        await self.update(made)
        return made

    async def update(self, replica: Replica) -> None:
        """Follow the playbooks in force, but let nothing run by itself."""
        before = replica.watches._watches.get("shop")
        await replica.watches.update()
        watch = replica.watches._watches.get("shop")
        if watch is not None and watch is not before:
            await _hold_still(watch)


async def _hold_still(watch: Watch) -> None:
    await watch.stop()
    for scraper in watch.scrapers.values():
        scraper._task = None


def rules_told(bench: Bench) -> list[tuple[str, str]]:
    """`fired P1` and so on, each with its rule."""
    return [(line, envelope.data.rule) for line, envelope in zip(bench.stream.story, bench.stream.log, strict=True)]
