"""Ports for test servers: no two callers are given the same one, whichever process they are in."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin_testkit import ports
from tocsin_testkit.ports import LOOPBACK, NoFreePortError, free_port, is_free


def narrow(monkeypatch: pytest.MonkeyPatch, *allowed: int) -> None:
    """Let only these ports be drawn."""
    drawn = iter(allowed * 1000)
    monkeypatch.setattr(ports.random, "randrange", lambda low, high: next(drawn))


def test_no_port_is_given_twice() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == len(given)


def test_the_system_gives_it_to_nobody_by_itself() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_port() for _ in range(50)) < lowest


def test_what_one_process_was_given_another_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "from tocsin_testkit.ports import free_port; print(free_port(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        taken, mine = int(other.stdout.readline()), free_port()
        ports._reserved.pop(mine).close()
        narrow(monkeypatch, taken, mine)
        assert is_free(taken)
        assert free_port() == mine
        other.communicate("\n")
    narrow(monkeypatch, taken)
    assert free_port() == taken


def test_one_that_somebody_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen()
        narrow(monkeypatch, listening.getsockname()[1])
        with pytest.raises(NoFreePortError, match="none of 1000 loopback ports between 10240 and "):
            free_port()


def test_where_the_system_does_not_say_its_range_the_usual_one_is_kept_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(self: Path, **_: object) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", cannot)
    assert free_port() < 32_768
