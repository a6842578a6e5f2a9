"""The wired detector against a real nats-server, with a source that answers what a test says."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tocsin_detector.app import build
from tocsin_detector.settings import DetectorSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.ops import OpsServer
from tocsin_runtime.playbooks import push
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.subjects import ALERTS
from tocsin_testkit.nats import NatsServer

PLAYBOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: shop}}
severities: [{{name: P1, acknowledge_within: 5m}}, {{name: P2}}]
sources:
  - {{name: app, prometheus: {{scrape: "{url}", every: 100ms, timeout: 500ms}}}}
detect:
  every: 100ms
  rules:
    - name: Errors
      expr: "{expr}"
      summary: "{{{{ value | number }}}} errors"
      ladder: [{{severity: P1, above: 10}}]
{more}
group: {{by: [alertname]}}
oncall: {{people: [{{name: ada, contacts: [{{channel: terminal, address: ada}}]}}]}}
communicate: {{channels: [{{name: terminal, console: {{}}}}]}}
escalate:
  - {{severities: [P1, P2], levels: [{{after: 0s, notify: ["person:ada"]}}]}}
"""


class App:
    """A program with a `/metrics` page. `page` None: it does not answer."""

    def __init__(self) -> None:
        self.page: str | None = "errors 0\n"
        self._server = OpsServer("127.0.0.1", 0, dict, [Route("/page", self._answer)])

    async def _answer(self, _: Request) -> Response:
        return PlainTextResponse(self.page or "", status_code=200 if self.page is not None else 503)

    @property
    def url(self) -> str:
        return f"{self._server.url}/page"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()


class System:
    """A server, its detectors, a program to watch, and somebody who reads the ALERTS stream."""

    def __init__(self, server: NatsServer) -> None:
        self.server, self.app = server, App()
        self.log: list[Envelope[Payload]] = []
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._hosts: list[Host[DetectorSettings]] = []
        self._connection: Connection | None = None
        self._follower: Follower | None = None

    async def open(self) -> None:
        await self.app.start()
        first = await self.start()
        self._connection = Connection(Address(self.server.url), "test")
        await self._connection.open()
        self._follower = Follower(self._connection, "ALERTS", (ALERTS,), self._on_events, service="test")
        await self._follower.start()
        assert first.problems() == {}

    async def close(self) -> None:
        for host in tuple(self._hosts):
            await self.stop(host)
        if self._follower is not None:
            await self._follower.stop()
        if self._connection is not None:
            await self._connection.close()
        await self.app.stop()
        await self.http.aclose()

    async def _on_events(self, envelopes: Sequence[Envelope[Payload]]) -> None:
        self.log += envelopes

    # --- detectors ----------------------------------------------------------------------------------------------------

    async def start(self, **settings: Any) -> Host[DetectorSettings]:
        given = {
            "nats_url": self.server.url,
            "nats_monitor_url": self.server.monitor_url,
            "http_port": 0,
            "source_patience_seconds": 0.5,
            "lease_grace_seconds": 0.2,
            "lease_patience_seconds": 0.5,
        }
        host = Host(DetectorSettings(**{**given, **settings}), build)
        await host.start()
        self._hosts.append(host)
        return host

    async def stop(self, host: Host[DetectorSettings]) -> None:
        self._hosts.remove(host)
        await host.stop()

    @property
    def host(self) -> Host[DetectorSettings]:
        return self._hosts[0]

    async def publish(self, expr: str = "errors", *more: str) -> None:
        """Put a revision of the playbook in force."""
        assert self._connection is not None
        text = PLAYBOOK.format(url=self.app.url, expr=expr, more="\n".join(f"    - {rule}" for rule in more))
        await push(self._connection, text, source="shop.yaml")

    async def post(self, *alerts: Mapping[str, Any], host: Host[DetectorSettings] | None = None) -> httpx.Response:
        return await self.http.post(f"{(host or self.host).ops.url}/api/v2/alerts", json=list(alerts))

    async def ready(self, host: Host[DetectorSettings] | None = None) -> Mapping[str, str]:
        answer = await self.http.get(f"{(host or self.host).ops.url}/readyz")
        problems: Mapping[str, str] = answer.json()["problems"]
        assert (answer.status_code == 200) is not bool(problems)
        return problems

    # --- what is told -------------------------------------------------------------------------------------------------

    @property
    def story(self) -> list[str]:
        """`AlertFired Errors`, in order."""
        return [f"{type(e.data).__name__} {getattr(e.data, 'rule', '')}" for e in self.log]

    async def until(self, holds: Callable[[], bool], within: float = 15.0) -> None:
        ends = time.monotonic() + within
        while not holds():
            if time.monotonic() > ends:
                raise AssertionError(f"waited for {within} s; the stream says {self.story}")
            await asyncio.sleep(0.02)

    async def until_story(self, *lines: str, within: float = 15.0) -> None:
        """Until exactly this has been told."""
        await self.until(lambda: len(self.log) >= len(lines), within)
        assert self.story == list(lines)

    async def stays(self, *lines: str, seconds: float = 0.6) -> None:
        """For a while, nothing more than this is told."""
        await asyncio.sleep(seconds)
        assert self.story == list(lines)
