"""The JSON API of the timeline, read only.

Starlette by itself, with the answers as pydantic models (`documents`): FastAPI would cost each process another 6 MB
and a third of a second at the start for the one document that these models can give as well.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.asked import Question, cursor_after, found_incident
from tocsin_recorder.adapters.database import DatabaseUnavailableError
from tocsin_recorder.adapters.documents import (
    DeadLetterList,
    IncidentList,
    TimelinePage,
    entry_document,
    incident_document,
    incident_item,
    verification,
)
from tocsin_recorder.adapters.harmless import SAFE_HEADERS, Problem, harmless_json, json_answer, problem_answer
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.queries import Queries
from tocsin_runtime import Clock

__all__ = ["Api"]

_STILL_HERE = 15.0
"""Seconds of silence after which a live stream says that it is still there."""

_AT_MOST_EVERY = 0.2
"""Seconds between two readings for one watcher, however much happens."""


class Api:
    """Answers programs."""

    def __init__(self, queries: Queries, live: LiveFeed, clock: Clock) -> None:
        self._queries, self._live, self._clock = queries, live, clock

    def routes(self) -> list[BaseRoute]:
        paths = {
            "/api/v1/incidents": self.incidents,
            "/api/v1/incidents/{incident}": self.incident,
            "/api/v1/incidents/{incident}/timeline": self.timeline,
            "/api/v1/incidents/{incident}/verify": self.verify,
            "/api/v1/dead-letters": self.dead_letters,
            "/api/v1/stream": self.stream,
            "/api/{rest:path}": self.nothing,
        }
        return [Route(path, answering(endpoint, problem_answer)) for path, endpoint in paths.items()]

    async def incidents(self, request: Request) -> Response:
        asked = Question.of(request, "active", "severity", "limit", "cursor")
        listed = await self._queries.incidents(
            active=asked.yes_or_no("active"),
            severity=asked.text("severity"),
            limit=asked.number("limit", 50, 1, 200),
            before=asked.place_in_list(),
        )
        last = listed.incidents[-1] if listed.more else None
        following = cursor_after(last.first_sequence, last.summary.incident) if last else None
        return json_answer(IncidentList(incidents=tuple(map(incident_item, listed.incidents)), next=following))

    async def incident(self, request: Request) -> Response:
        Question.of(request)
        name = await found_incident(self._queries, request.path_params["incident"])
        found = await self._queries.incident(name)
        if found is None:
            raise _gone(name)
        return json_answer(incident_document(found, self._clock.now()))

    async def timeline(self, request: Request) -> Response:
        asked = Question.of(request, "after", "limit")
        after, limit = asked.number("after", 0, 0, 2**31 - 1), asked.number("limit", 200, 1, 1000)
        name = await found_incident(self._queries, request.path_params["incident"])
        entries = await self._queries.entries(name, after=after, limit=limit + 1)
        more = len(entries) > limit
        shown = tuple(map(entry_document, entries[:limit]))
        return json_answer(TimelinePage(incident=name, entries=shown, next_after=shown[-1].seq if more else None))

    async def verify(self, request: Request) -> Response:
        Question.of(request)
        name = await found_incident(self._queries, request.path_params["incident"])
        verified = await self._queries.verify(name)
        if verified is None:
            raise _gone(name)
        return json_answer(verification(verified))

    async def dead_letters(self, request: Request) -> Response:
        asked = Question.of(request, "limit", "cursor")
        limit = asked.number("limit", 50, 1, 200)
        letters, more = await self._queries.dead_letters(limit=limit, before=asked.place_in_time())
        following = cursor_after(letters[-1].at, letters[-1].id) if more else None
        breaks = tuple(await self._queries.breaks())
        return json_answer(DeadLetterList(dead_letters=tuple(letters), next=following, log_breaks=breaks))

    async def nothing(self, request: Request) -> Response:
        raise Problem(HTTPStatus.NOT_FOUND, "There is nothing here: the API begins at /api/v1/incidents.")

    # --- live ---------------------------------------------------------------------------------------------------------

    async def stream(self, request: Request) -> Response:
        """Server-sent events: an incident's entries as they come, or which incidents have changed.

        After a lost connection a browser names the last entry that it has (`Last-Event-ID`), and misses none.
        """
        asked = Question.of(request, "incident", "after")
        typed = asked.text("incident")
        incident = await found_incident(self._queries, typed) if typed else None
        seen = request.headers.get("last-event-id", "")
        resumes = seen.isascii() and seen.isdigit() and len(seen) < 10
        after = int(seen) if resumes else asked.number("after", 0, 0, 2**31 - 1)
        if self._live.is_full:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "As many pages as allowed watch live already: load this one again to see what is new.",
            )
        headers = {**SAFE_HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(incident, after), media_type="text/event-stream", headers=headers)

    async def _events(self, incident: str | None, after: int) -> AsyncIterator[bytes]:
        watcher = self._live.join(incident)
        try:
            yield b"retry: 1000\n\n"
            if incident is not None:
                watcher.tell([incident])  # what is there already comes first
            while not watcher.ended:
                changed = await watcher.changed(_STILL_HERE)
                if not changed:
                    yield b": still here\n\n"
                elif incident is None:
                    yield _event("changed", None, {"incidents": sorted(changed)})
                else:
                    async for seq, event in self._entries_after(incident, after):
                        after = seq
                        yield event
                await self._clock.sleep(_AT_MOST_EVERY)
        except DatabaseUnavailableError:
            return  # the reader comes again, with the last entry that it has
        finally:
            self._live.leave(watcher)

    async def _entries_after(self, incident: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
        while entries := await self._queries.entries(incident, after=after):
            for entry in entries:
                after = entry.seq
                yield after, _event("entry", after, entry_document(entry).model_dump(mode="json"))


def _gone(name: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no incident {name!r}.")


def _event(kind: str, number: int | None, data: object) -> bytes:
    identity = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (identity, kind.encode(), harmless_json(data))
