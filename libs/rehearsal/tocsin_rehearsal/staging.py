"""The virtual worlds of one test: made, kept quiet, told about when the test fails, and closed."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import structlog

from tocsin_playbook import Playbook, load_checked
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.hosts import hosts_of
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording.compare import TOLERANCE
from tocsin_rehearsal.replaying import Replay, replay_into
from tocsin_rehearsal.views import excerpt
from tocsin_rehearsal.world import MONDAY, ServiceDiedError, World

__all__ = ["Stage", "quiet"]

Settings = Mapping[str, Mapping[str, Any]]
File = str | PathLike[str]


class Stage:
    """Makes worlds for a test. Files are relative to `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worlds: list[World] = []
        self._replays: list[Replay] = []
        self._is_told = False

    def make_world(
        self,
        *files: File,
        text: str | Sequence[str] = (),
        start: datetime = MONDAY,
        replicas: int = 1,
        settings: Settings | None = None,
        leave_out: Sequence[str] = (),
    ) -> World:
        """A world of the playbooks in these files, and of these texts. Its runbooks may reach every host they name.

        Raises PlaybookError with the file's name, OSError, and ValueError for a start without a time zone.
        """
        if start.tzinfo is None:
            raise ValueError(f"start={start!r} needs a time zone, such as tzinfo=UTC")
        texts = [self._read(file) for file in files] + [(each, "playbook") for each in _listed(text)]
        playbooks = [_checked(each, source) for each, source in texts]
        given = dict(settings or {})
        given["remediator"] = {"allowed_hosts": hosts_of(playbooks), **given.get("remediator", {})}
        return self._keep(
            [each for each, _ in texts], start=start, replicas=replicas, settings=given, leave_out=leave_out
        )

    def replay(
        self,
        recording: Recording,
        *,
        playbook: File | Sequence[File] = (),
        replicas: int = 1,
        tolerance: timedelta | None = TOLERANCE,
    ) -> Replay:
        """The recording in a world of its own, under its own playbooks or these. Raises what `replay_into` does."""
        files = [playbook] if isinstance(playbook, str | PathLike) else playbook
        texts = [self._read(file) for file in files]
        for each, source in texts:
            _checked(each, source)
        playbooks = [each for each, _ in texts]
        done = replay_into(self._keep, recording, playbooks=playbooks, replicas=replicas, tolerance=tolerance)
        self._replays.append(done)
        return done

    def hear(self, error: BaseException) -> None:
        """The test has failed by this already."""
        self._is_told = self._is_told or isinstance(error, ServiceDiedError)

    def close(self) -> None:
        """Close all. Raises ServiceDiedError where a service has died by itself and the test does not know it."""
        problems: list[ServiceDiedError] = []
        for world in self._worlds:
            try:
                world.check()
            except ServiceDiedError as error:
                problems.append(error)
            world.close()
        if problems and not self._is_told:
            raise problems[0]

    def sections(self) -> Iterator[tuple[str, str]]:
        """For a report: what happened in each world, and in what replays differ. None is long."""
        for number, world in enumerate(self._worlds, 1):
            which = f" {number} of {len(self._worlds)}" if len(self._worlds) > 1 else ""
            lines = excerpt(list(world.timeline)) or ["nothing happened"]
            yield f"virtual world{which}, until {shown(world.elapsed)}", "\n".join(lines)
        for replay in self._replays:
            told = [*map(str, replay.differences), *(f"not sent: {reason}" for reason in replay.not_sent)]
            if told:
                yield "differences from the recording", "\n".join(excerpt(told))

    def _keep(self, texts: Sequence[str], **options: Any) -> World:  # Any: the keywords of World
        made = World(texts, **options)
        self._worlds.append(made)
        return made

    def _read(self, file: File) -> tuple[str, str]:
        path = self._folder / file
        return path.read_text(encoding="utf-8"), str(file)


@lru_cache(maxsize=64)
def _checked(text: str, source: str) -> Playbook:
    """Many tests are about one playbook."""
    return load_checked(text, source=source).playbook


def _listed(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) else text


@contextmanager
def quiet() -> Iterator[None]:
    """Services log errors only, as long as this lasts: everything else costs time and is on the timeline."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(wrapper_class=before)
