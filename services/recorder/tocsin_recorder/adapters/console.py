"""The pages: the list of incidents, one incident, the dead letters. Made here, whole; they work without JavaScript."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.asked import Question, cursor_after, found_incident
from tocsin_recorder.adapters.harmless import SAFE_HEADERS, Problem
from tocsin_recorder.adapters.pages import STATIC, Pages, see
from tocsin_recorder.adapters.queries import Listed, Queries
from tocsin_recorder.adapters.sessions import Sessions
from tocsin_recorder.adapters.severities import Severities
from tocsin_recorder.adapters.views import Row, details, first_sample, lines, nested, row
from tocsin_recorder.core.offers import offers
from tocsin_runtime import Clock
from tocsin_runtime.playbooks import Playbooks

__all__ = ["Console"]

_ENTRIES = 500
_INCIDENTS = 30


class Console:
    """Answers people."""

    def __init__(self, queries: Queries, playbooks: Playbooks, sessions: Sessions, pages: Pages, clock: Clock) -> None:
        self._queries, self._clock = queries, clock
        self._sessions, self._pages = sessions, pages
        self._severities = Severities(playbooks)

    def routes(self) -> list[BaseRoute]:
        pages = {
            "/": self.incidents,
            "/incidents": self.find,
            "/incidents/{incident}": self.incident,
            "/dead-letters": self.dead_letters,
            "/static/{name}": self.static,
            "/favicon.ico": self.favicon,
            "/{rest:path}": self.nothing,
        }
        return [Route(path, answering(endpoint, self._pages.problem)) for path, endpoint in pages.items()]

    # --- pages --------------------------------------------------------------------------------------------------------

    async def incidents(self, request: Request) -> Response:
        """What is going on first, then what is over."""
        asked = Question.of(request, "severity", "cursor")
        severity, before, now = asked.text("severity"), asked.place_in_list(), self._clock.now()
        active = await self._queries.incidents(active=True, severity=severity, limit=200)
        over = await self._queries.incidents(active=False, severity=severity, limit=_INCIDENTS, before=before)
        older = ""
        if over.more:
            last = over.incidents[-1]
            cursor = cursor_after(last.first_sequence, last.summary.incident)
            older = "/?" + urlencode({"cursor": cursor, **({"severity": severity} if severity else {})})
        return self._page(
            request,
            "incidents.html",
            active=self._listed(active, now) if before is None else [],
            more_active=active.more,
            over=self._listed(over, now),
            first_page=before is None,
            older=older,
            severities=[(name, "/?" + urlencode({"severity": name})) for name in await self._queries.severities()],
            severity=severity,
            dead_letters=await self._queries.count_dead_letters(),
            breaks=await self._queries.breaks(),
        )

    async def find(self, request: Request) -> Response:
        """An id, or its beginning, that somebody typed."""
        typed = Question.of(request, "id").text("id") or ""
        return see(f"/incidents/{await found_incident(self._queries, typed)}" if typed else "/")

    async def incident(self, request: Request) -> Response:
        """One incident with its timeline: the latest entries, or those after a number."""
        typed = request.path_params["incident"]
        name = await found_incident(self._queries, typed)
        if name != typed:
            return see(f"/incidents/{name}")
        found = await self._queries.incident(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no incident {name!r}.")
        latest = max(found.head.seq - _ENTRIES, 0)
        asked = Question.of(request, "after", "said")
        after, now, session = asked.number("after", latest, 0, 2**31 - 1), self._clock.now(), self._sessions.of(request)
        entries = await self._queries.entries(name, after=after, limit=_ENTRIES)
        letters, _ = await self._queries.dead_letters(incident=name, limit=10)
        return self._pages.page(
            "incident.html",
            session,
            incident=details(found, now, self._severities),
            offers=offers(found.summary, session.person) if session else (),
            ladder=self._severities.ladder(found.summary),
            cause=uuid4().hex,
            outcome=session.unseal(asked.given.get("said", ""), now) if session else None,
            # A browser that follows a link from elsewhere leaves out the cookie; from this page it sends it.
            comes_from_elsewhere=session is None and request.headers.get("sec-fetch-site") == "cross-site",
            lines=lines(entries, found.summary.opened_at),
            first_sample=first_sample(found.summary) if after == 0 else None,
            earlier=max(after - _ENTRIES, 0) if after > 0 else None,
            later=entries[-1].seq if entries and entries[-1].seq < found.head.seq else None,
            after=after,
            letters=letters,
        )

    async def dead_letters(self, request: Request) -> Response:
        """What could not be handled."""
        asked = Question.of(request, "cursor")
        letters, more = await self._queries.dead_letters(limit=50, before=asked.place_in_time())
        older = "/dead-letters?" + urlencode({"cursor": cursor_after(letters[-1].at, letters[-1].id)}) if more else ""
        breaks = await self._queries.breaks()
        return self._page(request, "dead_letters.html", letters=letters, older=older, breaks=breaks)

    async def nothing(self, request: Request) -> Response:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such page.")

    # --- files --------------------------------------------------------------------------------------------------------

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such file.")
        headers = {**SAFE_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._pages.static[name], media_type=STATIC[name], headers=headers)

    async def favicon(self, request: Request) -> Response:
        headers = {**SAFE_HEADERS, "Cache-Control": "public, max-age=86400"}
        return Response(self._pages.static["bell.svg"], media_type=STATIC["bell.svg"], headers=headers)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _listed(self, found: Listed, now: datetime) -> list[Row]:
        return nested([row(incident, now, self._severities) for incident in found.incidents])

    def _page(self, request: Request, template: str, **values: Any) -> Response:
        """`Any`: what the template shows."""
        return self._pages.page(template, self._sessions.of(request), **values)
