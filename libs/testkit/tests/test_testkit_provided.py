"""Where integration tests take their servers from: the environment, then a container, then embedded."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tocsin_testkit import nats, provided, valkey
from tocsin_testkit.nats import nats_for_tests
from tocsin_testkit.provided import Container, Source, docker_works
from tocsin_testkit.valkey import valkey_for_tests


@pytest.fixture(autouse=True)
def _no_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NATS_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    docker_works.cache_clear()
    yield
    docker_works.cache_clear()


@pytest.mark.parametrize(
    ("take", "variable", "address"),
    [(nats_for_tests, "NATS_URL", "nats://there:4222"), (valkey_for_tests, "REDIS_URL", "redis://there:6379/0")],
)
def test_an_address_in_the_environment_comes_first(take, variable, address, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provided, "docker_works", lambda: True)
    monkeypatch.setenv(variable, address)
    with take(tmp_path) as taken:
        assert (taken.source, taken.url, taken.can_be_killed) == (Source.ENVIRONMENT, address, False)


@pytest.mark.parametrize(("take", "module"), [(nats_for_tests, nats), (valkey_for_tests, valkey)])
def test_a_container_comes_next_and_is_removed_at_the_end(take, module, monkeypatch, tmp_path: Path) -> None:
    removed: list[bool] = []
    monkeypatch.setattr(provided, "docker_works", lambda: True)
    monkeypatch.setattr(module, "_container", lambda: Container("container:1", lambda: removed.append(True)))
    with take(tmp_path) as taken:
        assert (taken.source, taken.url, taken.can_be_killed) == (Source.CONTAINER, "container:1", False)
    assert removed == [True]


@pytest.mark.parametrize("take", [nats_for_tests, valkey_for_tests])
def test_without_both_it_is_embedded_and_can_be_killed(take, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provided, "docker_works", lambda: False)
    with take(tmp_path) as taken:
        assert taken.can_be_killed
        assert taken.server.running
        assert str(taken) == f"{taken.kind} from embedded at {taken.server.url}"
    assert not taken.server.running


def test_no_docker_program_is_no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not docker_works()


@pytest.mark.parametrize(("status", "works"), [(0, True), (1, False)])
def test_docker_works_if_its_daemon_answers(status: int, works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provided.shutil, "which", lambda _name: "/usr/bin/docker")
    monkeypatch.setattr(provided.subprocess, "run", lambda *_args, **_more: SimpleNamespace(returncode=status))
    assert docker_works() is works


def test_a_docker_that_does_not_answer_is_no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_args: object, **_more: object) -> None:
        raise subprocess.TimeoutExpired("docker", 10)

    monkeypatch.setattr(provided.shutil, "which", lambda _name: "/usr/bin/docker")
    monkeypatch.setattr(provided.subprocess, "run", hang)
    assert not docker_works()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # testcontainers about itself
def test_the_containers_are_described_so_that_writes_are_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a daemon: what would be asked of it."""
    from testcontainers.community.nats import NatsContainer
    from testcontainers.community.redis import RedisContainer

    asked: list[object] = []
    for kind in (NatsContainer, RedisContainer):
        monkeypatch.setattr(kind, "start", lambda self: asked.append(self))
        monkeypatch.setattr(kind, "get_container_host_ip", lambda _self: "host")
        monkeypatch.setattr(kind, "get_exposed_port", lambda _self, port: port)
    monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda **_settings: None)
    assert nats._container().url == "nats://host:4222"
    assert valkey._container().url == "redis://host:6379/0"
    copied = asked[0]._transferable_specs  # type: ignore[attr-defined]
    assert b'"sync_interval": "always"' in copied[0][0]
