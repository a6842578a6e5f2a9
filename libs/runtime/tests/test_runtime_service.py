"""A service as a real process: it comes up or says why not, drains when told to end, and never lives on half dead.

What needs no process of its own is in test_runtime_host.py.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from runtime_builders import ServiceProcess, note

from tocsin_runtime import Connection
from tocsin_schemas.subjects import incident_subject
from tocsin_testkit.nats import NatsServer

Service = Callable[..., ServiceProcess]

NOTHING = "def build(host):\n    pass\n"
SLOW_HANDLER = """
async def handle(batch):
    leave("begun")
    await asyncio.sleep(SECONDS)
    leave("ended")

def build(host):
    async def stop():
        leave("stopped after " + ("ended" if Path(__file__).with_name("ended").exists() else "begun"))
    host.at_stop(stop)
    host.consume("notifier-incidents", handle)
"""
SUBJECT = incident_subject("inc1", type(note("x").data))


@pytest.fixture
def service(tmp_path: Path, nats_server: NatsServer) -> Iterator[Service]:
    """Start a service with this source; it is ended with the test."""
    started: list[ServiceProcess] = []

    def start(source: str, **settings: str) -> ServiceProcess:
        defaults = {
            "TOCSIN_NATS_URL": nats_server.url,
            "TOCSIN_NATS_MONITOR_URL": nats_server.monitor_url,
            "TOCSIN_LOG_LEVEL": "info",
        }
        process = ServiceProcess(tmp_path / f"service{len(started)}", source, defaults | settings)
        started.append(process)
        return process.start()

    yield start
    for process in started:
        process.stop()


async def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def readiness(process: ServiceProcess) -> tuple[int, dict[str, str]]:
    """The status of /readyz and the problems; (0, {}) while nobody answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        try:
            answer = await client.get(f"{process.url}/readyz")
        except httpx.HTTPError:
            return 0, {}
    return answer.status_code, answer.json()["problems"]


async def until_ready(process: ServiceProcess, status: int = 200) -> dict[str, str]:
    async with asyncio.timeout(20):
        while True:
            found, problems = await readiness(process)
            if found == status:
                return problems
            assert process.running, process.log()
            await asyncio.sleep(0.05)


async def ended(process: ServiceProcess) -> int:
    return await asyncio.to_thread(process.wait)


async def unsettled(connection: Connection) -> int:
    info = await connection.request("$JS.API.CONSUMER.INFO.INCIDENTS.notifier-incidents")
    count: int = info["num_ack_pending"]
    return count


# --- coming up and going down -----------------------------------------------------------------------------------------


async def test_told_to_end_a_service_finishes_what_it_has_begun(service: Service, connection: Connection) -> None:
    process = service(SLOW_HANDLER.replace("SECONDS", "1"))
    await until_ready(process)
    await connection.publish(SUBJECT, note("a"))
    await until(lambda: process.left("begun"))
    process.signal(signal.SIGTERM)
    await until_ready(process, 503)
    assert await ended(process) == 0
    assert process.left("stopped after ended")
    assert await unsettled(connection) == 0
    assert "service is down" in process.log()


async def test_a_service_waits_for_nats_and_outlives_its_restart(service: Service, nats_server: NatsServer) -> None:
    await asyncio.to_thread(nats_server.kill)
    process = service(NOTHING)
    await until_ready(process, 503)
    for _ in range(2):
        await asyncio.to_thread(nats_server.start)
        await until_ready(process)
        await asyncio.to_thread(nats_server.kill)
        assert await until_ready(process, 503) == {"nats": "not connected"}
    assert process.running


async def test_two_replicas_share_the_work(service: Service, connection: Connection) -> None:
    source = (
        "async def handle(batch):\n    for each in batch:\n        leave(each.envelope.cause)\n"
        "    await asyncio.sleep(0.05)\n\ndef build(host):\n    host.consume('notifier-incidents', handle)\n"
    )
    processes = [service(source), service(source)]
    for process in processes:
        await until_ready(process)
    for number in range(200):
        await connection.publish(SUBJECT, note(f"c{number}"))
    await until(lambda: sum(len(list(process.folder.glob("c*"))) for process in processes) == 200)
    assert all(list(process.folder.glob("c*")) for process in processes)


async def test_a_wrong_setting_ends_the_process_with_its_reason(service: Service) -> None:
    process = service(NOTHING, TOCSIN_LOG_FORMAT="xml")
    assert await ended(process) == 2
    assert "TOCSIN_LOG_FORMAT: Input should be 'json' or 'pretty'" in process.log()
    assert "Traceback" not in process.log()


async def test_a_server_that_does_not_sync_every_write_ends_the_process(service: Service, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "careless", sync_always=False) as careless:
        process = service(NOTHING, TOCSIN_NATS_URL=careless.url, TOCSIN_NATS_MONITOR_URL=careless.monitor_url)
        assert await ended(process) == 2
        assert "sync_interval: always" in process.log()
        assert "Traceback" not in process.log()


async def test_a_port_in_use_ends_the_process(service: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = service(NOTHING, TOCSIN_HTTP_PORT=str(taken.getsockname()[1]))
        assert await ended(process) == 2
    assert "cannot listen on 127.0.0.1:" in process.log()
    assert "Address already in use" in process.log()
    assert "Traceback" not in process.log()


DIES: dict[str, tuple[str, str]] = {
    "background": (
        "async def work():\n    raise KeyError('bug')\n\ndef build(host):\n    host.background('work', work)\n",
        "a part of the service has died",
    ),
    "connection": (
        "def build(host):\n    async def close():\n        await host.connection.client.close()\n"
        "    host.background('close', close)\n",
        "the connection to nats is closed for good",
    ),
}


@pytest.mark.parametrize("part", DIES)
async def test_a_process_of_which_a_part_has_died_ends(service: Service, part: str) -> None:
    source, reason = DIES[part]
    process = service(source)
    assert await ended(process) == 1
    assert reason in process.log()
