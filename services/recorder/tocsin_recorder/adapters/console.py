"""The pages: the list of incidents, one incident, the dead letters. Made here, whole; they work without JavaScript.

Nothing is loaded from elsewhere and nothing inline is run: the content security policy allows our own style sheet,
our own script and our own images, and that is all. Every value is escaped, and characters that turn or move text
are replaced.
"""

import hashlib
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.asked import Question, cursor_after, found_incident
from tocsin_recorder.adapters.harmless import SAFE_HEADERS, Problem
from tocsin_recorder.adapters.queries import Listed, Queries
from tocsin_recorder.adapters.severities import Severities
from tocsin_recorder.adapters.views import Row, details, first_sample, lines, nested, row
from tocsin_runtime import Clock
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas.text import MAX_TEXT, clean_text

__all__ = ["Console"]

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_STATIC = {"console.css": "text/css", "live.js": "text/javascript", "bell.svg": "image/svg+xml"}
_ENTRIES = 500
_INCIDENTS = 30


class Console:
    """Answers people."""

    def __init__(self, queries: Queries, playbooks: Playbooks, clock: Clock) -> None:
        self._queries, self._clock = queries, clock
        self._severities = Severities(playbooks)
        self._static = {name: files("tocsin_recorder").joinpath("pages/static", name).read_bytes() for name in _STATIC}
        version = hashlib.sha256(b"".join(self._static.values())).hexdigest()[:12]
        self._templates = _environment(version)

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
        return [Route(path, answering(endpoint, self._problem)) for path, endpoint in pages.items()]

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
        return _to_incident(await found_incident(self._queries, typed) if typed else None)

    async def incident(self, request: Request) -> Response:
        """One incident with its timeline: the latest entries, or those after a number."""
        typed = request.path_params["incident"]
        name = await found_incident(self._queries, typed)
        if name != typed:
            return _to_incident(name)
        found = await self._queries.incident(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no incident {name!r}.")
        latest = max(found.head.seq - _ENTRIES, 0)
        after = Question.of(request, "after").number("after", latest, 0, 2**31 - 1)
        entries = await self._queries.entries(name, after=after, limit=_ENTRIES)
        letters, _ = await self._queries.dead_letters(incident=name, limit=10)
        return self._page(
            "incident.html",
            incident=details(found, self._clock.now(), self._severities),
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
        return self._page("dead_letters.html", letters=letters, older=older, breaks=await self._queries.breaks())

    async def nothing(self, request: Request) -> Response:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such page.")

    # --- files --------------------------------------------------------------------------------------------------------

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such file.")
        headers = {**SAFE_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._static[name], media_type=_STATIC[name], headers=headers)

    async def favicon(self, request: Request) -> Response:
        headers = {**SAFE_HEADERS, "Cache-Control": "public, max-age=86400"}
        return Response(self._static["bell.svg"], media_type=_STATIC["bell.svg"], headers=headers)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _listed(self, found: Listed, now: datetime) -> list[Row]:
        return nested([row(incident, now, self._severities) for incident in found.incidents])

    def _page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
        """`Any`: what the template shows."""
        html = self._templates.get_template(template).render(values)
        return HTMLResponse(html, int(status), headers={**SAFE_HEADERS, "Content-Security-Policy": _POLICY})

    def _problem(self, problem: Problem) -> Response:
        return self._page(
            "problem.html", problem.status, problem=problem, candidates=problem.more.get("candidates", [])
        )


def _to_incident(name: str | None) -> Response:
    return RedirectResponse(f"/incidents/{name}" if name else "/", HTTPStatus.SEE_OTHER, headers=dict(SAFE_HEADERS))


def _environment(version: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin_recorder", "pages/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = version
    return environment


def _printable(value: Any) -> Any:
    """What a template prints (`Any`), without characters that turn or move text. Our own markup stays as it is."""
    return clean_text(value, 2 * MAX_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value
