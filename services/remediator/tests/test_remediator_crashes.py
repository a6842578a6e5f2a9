"""kill -9 at every named place, then a new process: never twice, and always an ending that is true.

The places are tried side by side, each on a server of its own: most of the time is spent waiting for the dead.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from dataclasses import dataclass
from pathlib import Path

import pytest
from remediator_bench import Bench, probe_of, runbook
from remediator_target import Target

from tocsin_remediator.adapters.crash_points import Point, crash_point
from tocsin_schemas import RunbookOutcome
from tocsin_testkit.nats import NatsServer


@dataclass(frozen=True)
class Ending:
    """How it ended after the crash."""

    outcome: RunbookOutcome
    actions: tuple[str, ...]
    most_executions: int
    said: tuple[str, ...]


async def process(bench: Bench, crash_at: str = "") -> Process:
    """The remediator as a process of its own."""
    settings = {f"TOCSIN_{name.upper()}": str(value) for name, value in bench.settings().items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    crash = {"TOCSIN_CRASH_AT": f"remediator.{crash_at}"} if crash_at else {}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tocsin_remediator",
        env={**inherited, **settings, **crash},
        stdout=DEVNULL,
        stderr=DEVNULL,
    )


async def crash_and_restart(folder: Path, crash_at: Point, *, can_be_asked: bool) -> Ending:
    """Crash there, start again, wait for the runbook's end."""
    with NatsServer(folder / crash_at) as server:
        bench = await Bench.on(server)
        try:
            async with Target(remembers=can_be_asked).serve() as target:
                await bench.push(runbook(target, extra=probe_of(target) if can_be_asked else ""))
                return await _crash_and_restart(bench, target, crash_at)
        finally:
            await bench.close()


async def _crash_and_restart(bench: Bench, target: Target, crash_at: Point) -> Ending:
    first = await process(bench, crash_at)
    await bench.open()
    assert await asyncio.wait_for(first.wait(), 30) == -signal.SIGKILL
    second = await process(bench)
    try:
        finished = await bench.wait_for("RunbookFinished", within=100)
    finally:
        second.terminate()
        await second.wait()
    said = tuple(await bench.names())
    return Ending(finished.outcome, tuple(target.actions), target.most_executions, said)


async def test_where_the_target_can_be_asked_a_crash_anywhere_ends_in_one_mitigation(tmp_path: Path) -> None:
    expected: dict[Point, tuple[str, ...]] = {
        "before_claim": ("/clear",),
        "after_claim": ("/failover",),  # the target knows nothing of the first: it failed, and the next step comes
        "after_effect": ("/clear",),
        "after_outcome": ("/clear",),
        "after_verification": ("/clear",),
    }
    endings = await asyncio.gather(*(crash_and_restart(tmp_path, point, can_be_asked=True) for point in expected))
    for ending, (point, actions) in zip(endings, expected.items(), strict=True):
        assert ending.outcome is RunbookOutcome.MITIGATED, point
        assert ending.actions == actions, point
        assert ending.most_executions == 1, point
        assert "ActionOutcomeUnknown" not in ending.said, point


async def test_where_it_cannot_be_asked_a_person_is_called_and_nothing_is_repeated(tmp_path: Path) -> None:
    expected: dict[Point, tuple[str, ...]] = {"after_claim": (), "after_effect": ("/clear",)}
    endings = await asyncio.gather(*(crash_and_restart(tmp_path, point, can_be_asked=False) for point in expected))
    for ending, (point, actions) in zip(endings, expected.items(), strict=True):
        assert ending.outcome is RunbookOutcome.ESCALATED, point
        assert ending.said[-2:] == ("ActionOutcomeUnknown", "RunbookFinished"), point
        assert ending.said.count("ActionClaimed") == 1, point
        assert ending.actions == actions, point


def test_without_the_environment_a_crash_point_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_CRASH_AT", raising=False)
    crash_point("after_effect")
    monkeypatch.setenv("TOCSIN_CRASH_AT", "remediator.before_claim")
    crash_point("after_effect")
