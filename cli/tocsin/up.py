"""`tocsin up`: everything in one command. nats-server and Valkey from their wheels, the five services in one process.

The services are the same as under `tocsin run`; only their settings differ. A second start continues where the
first one ended: the streams, the timeline and the identities are in the folder.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvloop
from rich.console import Console

from tocsin.place import Place, Reach
from tocsin.services import SERVICES, build_of, settings_of
from tocsin_playbook import PlaybookError
from tocsin_runtime import Address, Connection, Host, load_settings, serve
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.identities import users
from tocsin_runtime.logs import configure_logging
from tocsin_runtime.playbooks import push
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.processes import ServerError
from tocsin_testkit.valkey import ValkeyServer

__all__ = ["AlreadyRunningError", "Servers", "UpOptions", "host_of", "servers", "up"]

log = structlog.get_logger(__name__)


class AlreadyRunningError(RuntimeError):
    """Another `tocsin up` uses this folder."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `tocsin up` was asked for. With `any_port` every port is a free one."""

    folder: Path
    playbooks: tuple[Path, ...] = ()
    any_port: bool = False
    nats_port: int = 4222
    redis_url: str | None = None
    log_format: str = "pretty"
    log_level: str = "warning"


def up(options: UpOptions, console: Console) -> int:
    """Start everything, run until Ctrl-C, stop what was started. The answer is the exit status."""
    configure_logging("json" if options.log_format == "json" else "pretty", options.log_level)
    place = Place(options.folder)
    if (running := place.reach()) is not None and running.pid != os.getpid():
        raise AlreadyRunningError(f"{place.folder} is in use by process {running.pid}: {running.console_url}")
    place.prepare()
    with ExitStack() as stack:
        try:
            port = None if options.any_port else options.nats_port
            running_servers = stack.enter_context(
                servers(place, nats_port=port, redis_url=options.redis_url, with_valkey=not options.redis_url)
            )
        except ServerError as error:
            console.print(f"[red]cannot start:[/red] {error}", highlight=False)
            return 1
        try:
            return uvloop.run(_serve(options, place, running_servers, console))
        except PlaybookError as error:
            console.print(str(error), style="red", highlight=False, markup=False)
            return 1
        finally:
            place.withdraw()


@dataclass(frozen=True, slots=True)
class Servers:
    """What the services of a folder run on."""

    nats: NatsServer
    redis_url: str | None


@contextmanager
def servers(
    place: Place, *, nats_port: int | None = None, redis_url: str | None = None, with_valkey: bool = True
) -> Iterator[Servers]:
    """nats-server with the identities of this folder, and Valkey if it is wanted, until the block ends.

    Without a port it is a free one. Raises ServerError where one of them does not come up.
    """
    with ExitStack() as stack:
        nats = stack.enter_context(NatsServer(place.folder / "nats", port=nats_port, users=users(place.passwords())))
        if with_valkey:
            redis_url = stack.enter_context(ValkeyServer(place.folder / "valkey")).url
        yield Servers(nats, redis_url)


async def _serve(options: UpOptions, place: Place, on: Servers, console: Console) -> int:
    await _push_playbooks(options, place, on.nats, console)
    more = {"http_port": 0} if options.any_port else {}
    hosts = [host_of(service, place, on, **more) for service in SERVICES]
    ports = {host.service: host.ops.url for host in hosts}
    reach = Reach(
        nats_url=on.nats.url,
        nats_monitor_url=on.nats.monitor_url,
        redis_url=on.redis_url or "",
        console_url=ports["recorder"],
        alertmanager_url=ports["detector"],
        pid=os.getpid(),
    )

    def announce() -> None:
        place.announce(reach)
        console.print(f"[bold]Tocsin is up.[/bold]  Console  [link]{reach.console_url}[/link]")
        console.print(f"                Alerts   {reach.alertmanager_url}/api/v2/alerts  (Alertmanager API)")
        console.print(f"                NATS     {reach.nats_url}")
        console.print(f"                Data     {place.folder}      Ctrl-C drains and stops everything.")

    return await serve(hosts, when_up=announce)


def host_of(service: str, place: Place, on: Servers, **more: Any) -> Host[Any]:
    """One service of this folder, not started yet. `more` are settings of its own, which win."""
    model = settings_of(service)
    given: dict[str, Any] = {
        "nats_url": on.nats.url,
        "nats_user": service,
        "nats_password": place.passwords()[service],
        "nats_monitor_url": on.nats.monitor_url,
        "redis_url": on.redis_url,
    }
    if "database_url" in model.model_fields:
        given["database_url"] = f"sqlite+aiosqlite:///{place.folder / 'timeline.db'}"
    if "index_folder" in model.model_fields:
        given["index_folder"] = place.folder
    if "tokens_path" in model.model_fields:
        given["tokens_path"] = place.tokens
    return Host(load_settings(model, **{**given, **more}), build_of(service))


async def _push_playbooks(options: UpOptions, place: Place, nats: NatsServer, console: Console) -> None:
    if not options.playbooks:
        return
    connection = Connection(Address(nats.url, "operator", place.passwords()["operator"]), "operator")
    await connection.open()
    try:
        await ensure_streams(connection)
        for path in _files(options.playbooks):
            ref, new = await push(connection, path.read_text(encoding="utf-8"), source=str(path))
            console.print(f"Playbook [bold]{ref.name}[/bold] {ref.revision} {'is in force' if new else 'unchanged'}")
    finally:
        await connection.close()


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    return found
