"""Playbooks as every replica sees them: the same texts in the same order, and the one an incident was opened under.

A playbook is published as an event with its whole text. Its revision is a digest of the text, so the same text is
the same revision wherever it comes from, and a revision never changes its content.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import structlog

from tocsin_playbook import Loaded, Playbook, PlaybookError, load, load_checked
from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_schemas import Envelope, Payload, PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import PLAYBOOKS, playbook_subject

__all__ = ["Playbooks", "UnknownPlaybookError", "loaded", "push"]

log = structlog.get_logger(__name__)


class UnknownPlaybookError(LookupError):
    """No playbook of this name and revision has been published."""


async def push(connection: Connection, text: str, *, source: str) -> tuple[PlaybookRef, bool]:
    """Publish a playbook, unless this very text is in force already; the answer says whether it was published.

    Raises PlaybookError where it has errors; warnings do not hinder it.
    """
    checked = load_checked(text, source=source)
    ref = PlaybookRef(name=checked.playbook.metadata.name, revision=checked.revision)
    current = Playbooks(partial(Follower, connection, service="push"))
    await current.start()
    try:
        await asyncio.wait_for(current.caught_up.wait(), 10)
        if current.head(ref.name) == ref:
            return ref, False
        position = current.position
    finally:
        await current.stop()
    cause = derive_id("playbook", ref.name, ref.revision, position)
    published = PlaybookPublished(playbook=ref, text=text)
    envelope = caused_by(cause, 0, "playbook", "", connection.clock.now(), published)
    await connection.publish(playbook_subject(ref.name), envelope)
    return ref, True


@lru_cache(maxsize=64)
def loaded(text: str) -> Loaded:
    """A playbook that is in force, or is to be. Five services in one process read the same text.

    Raises PlaybookError.
    """
    return load(text, source="playbook")


class Playbooks:
    """All published playbooks, kept up to date."""

    def __init__(self, follower: Callable[[str, tuple[str, ...], OnEvents], Follower]) -> None:
        """`follower` makes a reader of a stream: of these filters, for this function."""
        self._follower = follower("PLAYBOOKS", (PLAYBOOKS,), self._on_events)
        self._texts: dict[PlaybookRef, str] = {}
        self._parsed: dict[PlaybookRef, Playbook] = {}
        self._heads: dict[str, PlaybookRef] = {}
        self._taken: set[str] = set()
        self._on_change: list[Callable[[], None]] = []

    async def start(self) -> None:
        await self._follower.start()

    async def stop(self) -> None:
        await self._follower.stop()

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once everything that was published before the start has been read."""
        return self._follower.caught_up

    @property
    def failed(self) -> BaseException | None:
        """Why the stream is not read any more although nobody stopped it."""
        return self._follower.failed

    @property
    def position(self) -> int:
        """How far the stream has been read."""
        return self._follower.position

    def on_change(self, call: Callable[[], None]) -> None:
        """Call this whenever a playbook was published."""
        self._on_change.append(call)

    def head(self, name: str) -> PlaybookRef | None:
        """The revision in force."""
        return self._heads.get(name)

    def heads(self) -> dict[str, PlaybookRef]:
        """The revisions in force, by name, in the order of their names."""
        return dict(sorted(self._heads.items()))

    def get(self, ref: PlaybookRef) -> Playbook:
        """The playbook of this revision. Raises UnknownPlaybookError."""
        if ref not in self._parsed:
            text = self._texts.get(ref)
            if text is None:
                raise UnknownPlaybookError(f"playbook {ref.name} revision {ref.revision} was never published")
            self._parsed[ref] = loaded(text).playbook
        return self._parsed[ref]

    async def _on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        for envelope in events:
            data = envelope.data
            if not isinstance(data, PlaybookPublished) or envelope.id in self._taken:
                continue  # a copy of what was published before puts nothing in force again: `push` makes a new id
            self._taken.add(envelope.id)
            try:
                read = loaded(data.text)
            except PlaybookError as error:
                log.error("a published playbook does not load; the one before stays in force", reason=str(error))
                continue
            if data.playbook != PlaybookRef(name=read.playbook.metadata.name, revision=read.revision):
                log.error("a published playbook is not the one that it says; it is not taken", said=str(data.playbook))
                continue
            self._texts[data.playbook] = data.text
            self._parsed[data.playbook] = read.playbook
            self._heads[data.playbook.name] = data.playbook
        for call in self._on_change:
            call()
