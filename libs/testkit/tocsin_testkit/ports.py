"""Free loopback ports and the check that one is free again."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

__all__ = ["LOOPBACK", "NoFreePortError", "free_port", "is_free"]

LOOPBACK = "127.0.0.1"

_LOWEST = 10_240
_EPHEMERAL = 32_768
"""Where systems begin to give ports to whoever asks for any (Linux: `net.ipv4.ip_local_port_range`; others higher)."""

_ATTEMPTS = 1000
_reserved: dict[int, TextIO] = {}
"""Ports this process was given, with the locked file of each: the lock ends with the process."""


class NoFreePortError(RuntimeError):
    """No loopback port is left."""

    def __init__(self) -> None:
        super().__init__(f"none of {_ATTEMPTS} loopback ports between {_LOWEST} and {_highest()} is free")


def free_port() -> int:
    """A loopback TCP port that nobody listens on, and that no other caller is given while this process lives.

    It lies below the ports that the system gives to connections and to servers that ask for any, so that between
    this call and the listening of your server nobody else comes to have it by chance. Raises NoFreePortError.
    """
    highest = _highest()
    for _ in range(_ATTEMPTS):
        port = random.randrange(_LOWEST, highest)  # noqa: S311  # not a secret
        if port not in _reserved and is_free(port) and _reserve(port):
            return port
    raise NoFreePortError


def is_free(port: int) -> bool:
    """Whether a server could listen on the port, as servers do: with SO_REUSEADDR."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Lock the port's file; whether that succeeded. Processes of one user share the folder."""
    folder = Path(tempfile.gettempdir()) / f"tocsin-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    file = (folder / str(port)).open("w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _reserved[port] = file
    return True


def _highest() -> int:
    """The first port that the system may give away by itself."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        return _EPHEMERAL
    return first if first > _LOWEST + _ATTEMPTS else _EPHEMERAL
