"""The Slack double itself: the server, what it received, and the failures a test switches on."""

import json
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from tocsin_testkit.receivers.failures import Answers, Failure, Failures, Faulty
from tocsin_testkit.receivers.inbox import DEFAULT_TIMEOUT
from tocsin_testkit.receivers.refusals import Refusal, Refusals
from tocsin_testkit.receivers.serving import AppServer
from tocsin_testkit.receivers.slack.arguments import Arguments, Json, RefusedError, read_arguments
from tocsin_testkit.receivers.slack.methods import METHODS, TEAM
from tocsin_testkit.receivers.slack.page import as_json, as_page
from tocsin_testkit.receivers.slack.presses import Press, Presses, SlackReply
from tocsin_testkit.receivers.slack.workspace import Channel, SlackMessage, TooFastError, Workspace

__all__ = ["SlackCall", "SlackDouble"]


@dataclass(frozen=True, slots=True)
class SlackCall:
    """One call that reached the API: its arguments without the token, and Slack's error or None."""

    method: str
    arguments: Json
    error: str | None


class SlackDouble:
    """A workspace with a Web API on loopback. It records every message and refuses what Slack refuses.

        with SlackDouble(channels=["ops"]) as slack:
            client = AsyncWebClient(token=slack.token, base_url=slack.api_url)
            ...
            page = await slack.wait_for(lambda message: "checkout" in message.text)

    It answers from its own thread. `per_channel_interval` switches Slack's limit of about one message a second
    and channel on. A person looks at `url`, a program at `<url>/received`.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        token: str = "xoxb-testkit",  # noqa: S107  # not a secret: the double's own
        channels: Iterable[str] = ("incidents",),
        users: Iterable[str] = ("U0ALICE", "U0BOB"),
        per_channel_interval: timedelta | None = None,
        signing_secret: str = "testkit",  # noqa: S107  # not a secret: the double's own
    ) -> None:
        self.token = token
        self.signing_secret = signing_secret
        self._workspace = Workspace(channels, users, per_channel_interval)
        self._presses = Presses(signing_secret)
        self._failures = Failures()
        self._reply_failures = Failures()
        self._refusals = Refusals("Slack double")
        self._lock = threading.Lock()
        self._tokens = {token}
        self._calls: list[SlackCall] = []
        self._server = AppServer(self._app(), name="slack-double", port=port)

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- where it is -------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The page for people."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The `base_url` of the official clients."""
        return f"{self._server.url}/api/"

    # --- what it received ----------------------------------------------------------------------------------------

    @property
    def messages(self) -> tuple[SlackMessage, ...]:
        """All messages as they stand now, in the order of posting."""
        return self._workspace.inbox.items

    @property
    def calls(self) -> tuple[SlackCall, ...]:
        """All calls that were acted on or refused; not those that a failure swallowed."""
        with self._lock:
            return tuple(self._calls)

    def thread(self, ts: str) -> tuple[SlackMessage, ...]:
        """A message and its replies."""
        return self._workspace.thread(ts)

    def channel(self, name: str) -> Channel:
        """The channel with this name; RefusedError when there is none."""
        return self._workspace.channel(name, by_name=True)

    def duplicates(self) -> dict[str, tuple[SlackMessage, ...]]:
        """Messages that were posted more than once, by client_msg_id. Slack does not remove them for you."""
        by_id: dict[str, list[SlackMessage]] = defaultdict(list)
        for message in self.messages:
            if message.client_msg_id is not None:
                by_id[message.client_msg_id].append(message)
        return {identity: tuple(same) for identity, same in by_id.items() if len(same) > 1}

    async def wait_for(
        self, predicate: Callable[[SlackMessage], bool], timeout: timedelta = DEFAULT_TIMEOUT
    ) -> SlackMessage:
        """The first message, received or yet to come, for which the predicate holds; else NothingArrivedError."""
        return await self._workspace.inbox.wait_for(predicate, timeout)

    def wait(self, predicate: Callable[[SlackMessage], bool], timeout: timedelta = DEFAULT_TIMEOUT) -> SlackMessage:
        """`wait_for` in a test without an event loop."""
        return self._workspace.inbox.wait(predicate, timeout)

    # --- people press buttons ------------------------------------------------------------------------------------

    def press(
        self, message: SlackMessage, button: str, *, user: str, home: str = TEAM, at: float | None = None
    ) -> Press:
        """Somebody presses a button of a message, named by its text or action_id, and confirms where they are asked.

        `home`: the workspace they belong to. `at`: when, in seconds since 1970; now. The app is told by `Press.tell`.
        Raises NoSuchButtonError.
        """
        return self._presses.press(message, button, user, self._server.url, home=home, at=at)

    @property
    def replies(self) -> tuple[SlackReply, ...]:
        """What the app has answered to presses."""
        return self._presses.inbox.items

    async def wait_for_reply(
        self, predicate: Callable[[SlackReply], bool] = lambda _: True, timeout: timedelta = DEFAULT_TIMEOUT
    ) -> SlackReply:
        """The first answer to a press, received or yet to come, for which it holds; else NothingArrivedError."""
        return await self._presses.inbox.wait_for(predicate, timeout)

    # --- what it refused -----------------------------------------------------------------------------------------

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What Slack itself would have refused; not the failures a test switched on."""
        return self._refusals.all()

    def expect_refusals(self, *errors: str) -> None:
        """These errors are what the test is about."""
        self._refusals.expect(*errors)

    def raise_unexpected_refusals(self) -> None:
        """UnexpectedRefusalError if anything else was refused; the pytest fixture does this at the end."""
        self._refusals.raise_unexpected()

    # --- failures --------------------------------------------------------------------------------------------------

    def fail(self, failure: Failure, times: int | None = 1) -> None:
        """The next calls fail so (None: all until `heal`). Planned failures come in the order planned."""
        self._failures.plan(failure, times)

    def fail_replies(self, failure: Failure, times: int | None = 1) -> None:
        """The next answers to presses fail so (None: all until `heal`)."""
        self._reply_failures.plan(failure, times)

    def refuse_with(self, error: str, times: int | None = 1) -> None:
        """The next calls get this Slack error, as `channel_not_found` or `fatal_error`, and do nothing."""
        body = json.dumps({"ok": False, "error": error}).encode()
        self.fail(Answers(200, body, {"content-type": "application/json; charset=utf-8"}), times)

    def heal(self) -> None:
        """No more planned failures."""
        self._failures.heal()
        self._reply_failures.heal()

    def revoke_token(self) -> None:
        """From now on `token` is refused with invalid_auth."""
        with self._lock:
            self._tokens.discard(self.token)

    # --- how -----------------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        api = Starlette(routes=[Route("/{method}", self._answer, methods=["GET", "POST"])])
        actions = Starlette(routes=[Route("/{rest:path}", self._take_reply, methods=["POST"])])
        return Starlette(
            routes=[
                Mount("/api", app=Faulty(api, self._failures)),
                Mount("/actions", app=Faulty(actions, self._reply_failures)),
                Route("/received", self._show_json),
                Route("/", self._show_page),
            ]
        )

    async def _answer(self, request: Request) -> Response:
        method = request.path_params["method"]
        arguments = Arguments({})
        try:
            content_type = request.headers.get("content-type")
            arguments = read_arguments(request.query_params, content_type, await request.body())
            answer = self._handle(method, request.headers.get("authorization"), arguments)
        except RefusedError as refused:
            self._refusals.add(Refusal(method, refused.error, refused.detail))
            self._record(method, arguments, refused.error)
            return JSONResponse(_refusal(method, refused))
        except TooFastError as too_fast:
            self._record(method, arguments, "ratelimited")
            seconds = str(math.ceil(too_fast.retry_after.total_seconds()))
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"retry-after": seconds})
        self._record(method, arguments, None)
        return JSONResponse(answer | _warnings(answer, arguments.warnings))

    async def _take_reply(self, request: Request) -> Response:
        try:
            self._presses.answer(request.url.path, request.headers.get("content-type", ""), await request.body())
        except RefusedError as refused:
            self._refusals.add(Refusal("response_url", refused.error, refused.detail))
            status = 404 if refused.error.endswith("_url") else 400
            return JSONResponse({"ok": False, "error": refused.error}, status)
        return PlainTextResponse("ok")

    def _handle(self, method: str, authorization: str | None, arguments: Arguments) -> Json:
        handler = METHODS.get(method)
        if handler is None:
            raise RefusedError("unknown_method", method)
        self._authenticate(authorization, arguments)
        return {"ok": True, **handler(self._workspace, arguments)}

    def _authenticate(self, authorization: str | None, arguments: Arguments) -> None:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else arguments.text("token")
        if not token:
            raise RefusedError("not_authed")
        with self._lock:
            if token not in self._tokens:
                raise RefusedError("invalid_auth")

    def _record(self, method: str, arguments: Arguments, error: str | None) -> None:
        shown = {name: value for name, value in arguments.values.items() if name != "token"}
        with self._lock:
            self._calls.append(SlackCall(method, shown, error))

    async def _show_page(self, _request: Request) -> Response:
        return HTMLResponse(as_page(self._workspace))

    async def _show_json(self, _request: Request) -> Response:
        return JSONResponse(as_json(self._workspace))


def _refusal(method: str, refused: RefusedError) -> Json:
    answer: Json = {"ok": False, "error": refused.error}
    if refused.error == "unknown_method":
        answer["req_method"] = method
    elif refused.detail:
        answer["response_metadata"] = {"messages": [f"[ERROR] {refused.detail}"]}
    return answer


def _warnings(answer: Json, warnings: tuple[str, ...]) -> Json:
    if not warnings:
        return {}
    metadata = {**answer.get("response_metadata", {}), "warnings": list(warnings)}
    return {"warning": ",".join(warnings), "response_metadata": metadata}
