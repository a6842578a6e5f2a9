"""Where an integration test takes its server from: an address in the environment, a container, or embedded."""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Generic, Self, TypeVar

from tocsin_testkit.processes import ServerProcess

__all__ = ["Container", "Provided", "Source", "docker_works", "provide"]

DOCKER_TIMEOUT_SECONDS = 10

Server = TypeVar("Server", bound=ServerProcess)

logger = logging.getLogger(__name__)


class Source(StrEnum):
    ENVIRONMENT = "environment"
    CONTAINER = "container"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Container:
    """A started container: where it listens and how to remove it."""

    url: str
    stop: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Provided(Generic[Server]):
    """A server for tests, and where it came from. `close` (or leaving the context) ends what was started."""

    kind: str
    source: Source
    url: str
    server: Server | None
    """The embedded process, to kill and pause; None when the process is not ours."""
    close: Callable[[], object]

    @property
    def can_be_killed(self) -> bool:
        return self.server is not None

    def __str__(self) -> str:
        return f"{self.kind} from {self.source} at {self.url}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def provide(
    kind: str,
    variable: str,
    *,
    container: Callable[[], Container],
    embedded: Callable[[], Server],
) -> Provided[Server]:
    """The address in the environment variable, else a container where `docker info` works, else embedded."""
    provided = _provide(kind, variable, container, embedded)
    logger.info("%s", provided)
    return provided


def _provide(
    kind: str, variable: str, container: Callable[[], Container], embedded: Callable[[], Server]
) -> Provided[Server]:
    if url := os.environ.get(variable):
        return Provided(kind, Source.ENVIRONMENT, url, server=None, close=lambda: None)
    if docker_works():
        started = container()
        return Provided(kind, Source.CONTAINER, started.url, server=None, close=started.stop)
    server = embedded()
    return Provided(kind, Source.EMBEDDED, server.url, server=server, close=server.stop)


@cache
def docker_works() -> bool:
    """Whether a Docker daemon answers `docker info`; asked once per process."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        answer = subprocess.run([docker, "info"], capture_output=True, timeout=DOCKER_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0
