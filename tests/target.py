"""An outside system to be mended: it counts what is done to it, by execution."""

from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin_testkit.receivers.serving import AppServer


class Target:
    """`POST /first` does not help, `POST /second` does. Each call must carry an Idempotency-Key."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.healthy = False
        self._server = AppServer(
            Starlette(
                routes=[
                    Route("/first", self._first, methods=["POST"]),
                    Route("/second", self._second, methods=["POST"]),
                    Route("/health", self._health),
                    Route("/executions/{key}", self._execution),
                ]
            ),
            name="target",
        )

    def __enter__(self) -> "Target":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url

    async def _first(self, request: Request) -> Response:
        return self._count("first", request)

    async def _second(self, request: Request) -> Response:
        answer = self._count("second", request)
        self.healthy = True
        return answer

    def _count(self, action: str, request: Request) -> Response:
        key = request.headers.get("Idempotency-Key")
        if not key:
            raise AssertionError(f"{action} was called without an Idempotency-Key")
        self.calls[action, key] += 1
        return JSONResponse({"done": action})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"healthy": self.healthy}, status_code=200 if self.healthy else 503)

    async def _execution(self, request: Request) -> Response:
        done = any(key == request.path_params["key"] for _, key in self.calls)
        return JSONResponse({"executed": done}, status_code=200 if done else 404)
