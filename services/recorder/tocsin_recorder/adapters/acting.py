"""Signing in to the console, and what people do there: forms that work without JavaScript.

A form is taken only from our own page (the browser says so, and it carries what only such a page has). Each carries the
cause of its command: pressed twice, it is one command.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.asked import Question, found_incident
from tocsin_recorder.adapters.bodies import FORM, read_body
from tocsin_recorder.adapters.doing import BY_SLUG, Doing, words_for
from tocsin_recorder.adapters.harmless import Problem
from tocsin_recorder.adapters.looks import LOOKS
from tocsin_recorder.adapters.pages import Pages, see
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.sessions import Said, Session, Sessions, is_from_here
from tocsin_runtime import Clock
from tocsin_runtime.asking import Answer
from tocsin_runtime.tokens import HOW_TO_GET_ONE
from tocsin_schemas import Actor
from tocsin_schemas.ids import derive_id

__all__ = ["Acting"]

_OUR_PAGES = re.compile(r"/(?:incidents/[a-z0-9][a-z0-9_-]{0,63}|dead-letters)?")
_CAUSE = re.compile(r"[0-9a-f]{32}")
_MOST_FIELDS = 16
_SHOWN_WITHIN = 1.0
"""Seconds that the answer waits for the timeline to have what came of it."""

_FORMS: Mapping[str, tuple[str, ...]] = {
    "acknowledge": (),
    "take_over": (),
    "decline": ("because",),
    "escalate": ("because",),
    "set_severity": ("severity", "because"),
    "update": ("text", "status"),
    "add_note": ("text",),
    "resolve": ("notes", "false_alarm"),
    "reopen": ("because",),
}
"""The commands that there are forms for, with their fields."""


class Acting:
    """Answers people who want something."""

    def __init__(
        self,
        doing: Doing,
        queries: Queries,
        sessions: Sessions,
        pages: Pages,
        clock: Clock,
        reach: Callable[[int], Awaitable[None]],
    ) -> None:
        """`reach` returns when the timeline has the log up to a place."""
        self._doing, self._queries, self._sessions = doing, queries, sessions
        self._pages, self._clock, self._reach = pages, clock, reach

    def routes(self) -> list[BaseRoute]:
        forms = {
            "/sign-in": self.sign_in,
            "/sign-out": self.sign_out,
            "/incidents/{incident}/{slug}": self.act,
        }
        asked = Route("/sign-in", answering(self.ask_to_sign_in, self._pages.problem))
        posted = [
            Route(path, answering(endpoint, self._pages.problem), methods=["POST"]) for path, endpoint in forms.items()
        ]
        return [asked, *posted]

    # --- in and out ---------------------------------------------------------------------------------------------------

    async def ask_to_sign_in(self, request: Request) -> Response:
        back = _ours(Question.of(request, "back").text("back", 200))
        return self._pages.page("sign_in.html", self._sessions.of(request), back=back, problem=None)

    async def sign_in(self, request: Request) -> Response:
        fields = await _fields(request)
        back = _ours(fields.get("back"))
        answer = see(back)
        if self._sessions.sign_in(request, answer, fields.get("token", "").strip()):
            return answer
        problem = f"This access token lets nobody in: {HOW_TO_GET_ONE}."
        return self._pages.page("sign_in.html", None, HTTPStatus.FORBIDDEN, back=back, problem=problem)

    async def sign_out(self, request: Request) -> Response:
        await self._signed_in(request)
        answer = see("/")
        self._sessions.sign_out(request, answer)
        return answer

    # --- doing something ----------------------------------------------------------------------------------------------

    async def act(self, request: Request) -> Response:
        """Do it, and go back to the incident with what came of it."""
        slug = request.path_params["slug"]
        if slug not in _FORMS:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such page.")
        session, fields = await self._signed_in(request)
        incident = await found_incident(self._queries, request.path_params["incident"])
        said = await self._asked(session, slug, incident, fields)
        return see(f"/incidents/{incident}?" + urlencode({"said": session.seal(said, self._clock.now())}))

    async def _asked(self, session: Session, slug: str, incident: str, fields: Mapping[str, str]) -> Said:
        if not _CAUSE.fullmatch(fields.get("cause", "")):
            raise Problem(HTTPStatus.BAD_REQUEST, "The form is not one of ours.")
        stated = _stated(slug, fields)
        try:
            by = Actor.person(session.person, "console")
            command = await self._doing.command(BY_SLUG[slug], {"incident": incident, **stated}, by)
        except Problem as problem:
            if problem.status is not HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            return Said("warn", problem.detail)
        # Pressed twice it is the same; gone back to and changed it is another.
        cause = derive_id("console", session.person, fields["cause"], *(f"{name}={stated[name]}" for name in stated))
        answer = await self._doing.do(command, cause)
        await self._until_shown(answer)
        return _said(answer)

    async def _until_shown(self, answer: Answer) -> None:
        if answer.events:
            with contextlib.suppress(TimeoutError):  # then the page is a moment behind, and says so by itself
                await asyncio.wait_for(self._reach(answer.events[-1].sequence), _SHOWN_WITHIN)

    async def _signed_in(self, request: Request) -> tuple[Session, dict[str, str]]:
        """Who sends this form, and what stands in it. Raises Problem."""
        session = self._sessions.of(request)
        if session is None:
            raise Problem(HTTPStatus.FORBIDDEN, "You are not signed in, or not any more: nothing was done.")
        fields = await _fields(request)
        if not session.owns(fields.get("form", "")):
            raise Problem(HTTPStatus.FORBIDDEN, "The form is not one of yours: nothing was done. Open the page anew.")
        return session, fields


async def _fields(request: Request) -> dict[str, str]:
    if not is_from_here(request):
        raise Problem(HTTPStatus.FORBIDDEN, "The form is on a page of somebody else: nothing was done.")
    try:
        text = (await read_body(request, FORM)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # not UTF-8, or too many fields
        raise Problem(HTTPStatus.BAD_REQUEST, "The form cannot be read.") from None
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def _stated(slug: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """The command's fields (`Any`: as JSON has them); what was left empty is not stated."""
    stated: dict[str, Any] = {name: fields[name].strip() for name in _FORMS[slug] if fields.get(name, "").strip()}
    if "false_alarm" in stated:
        stated["false_alarm"] = stated["false_alarm"] == "yes"
    return stated


def _said(answer: Answer) -> Said:
    if answer.refused is not None:
        return Said("warn", f"Not done: {answer.refused}")
    if answer.pending:
        return Said("warn", "Nobody has carried it out yet. It stays queued, and will show on the timeline.")
    loud = [each.data for each in answer.events if not LOOKS[type(each.data)].quiet]
    return Said("good", words_for((loud or [answer.events[0].data])[0]))


def _ours(path: str | None) -> str:
    """Where to go back to: one of our pages, never elsewhere."""
    return path if path is not None and _OUR_PAGES.fullmatch(path) else "/"
