"""Makes `tests/golden/`: the demonstration's incidents, recorded from a real embedded system.

    .venv/bin/python libs/rehearsal/tests/recording/make_golden.py tests/golden

Golden logs are never made again for a change of the code: they are yesterday's words, and today's code must read
them. A new one gets a new name.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx

from tocsin.demo.stage import Stage, set_up, storefront_playbook, without_runbooks
from tocsin.operator import Operator
from tocsin_rehearsal.recording import Recorded, RecordingFile, read, read_meta, record
from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.commands import Acknowledge, AddNote, Resolve, SetSeverity
from tocsin_schemas.events import IncidentClosed, IncidentEscalated, IncidentOpened, NotificationDelivered
from tocsin_schemas.subjects import INCIDENTS

PAUSE = 2.0
"""Seconds between what happens: a replay that is a little late must not meet a clock that rings."""

HOST = "replica.example"
"""Stands for the name of the computer on which a golden log was made."""


def mitigated(folder: Path, out: Path) -> None:
    """The runbook mends the shop; the incident is resolved and closed by itself."""
    with ExitStack() as stack:
        stage = set_up(stack, folder, storefront_playbook())
        break_the_shop(stage)
        asyncio.run(record_until(stage, IncidentClosed, out, lambda name: None))


def escalated(folder: Path, out: Path) -> None:
    """Nobody answers at first; then a person acknowledges, writes, lowers the severity and resolves it."""

    def attend(name: str) -> None:
        me = Operator(operator_address(stage), stage.tocsin.reach.console_url, "grace")
        said = (
            Acknowledge(incident=name, by=me.actor),
            AddNote(incident=name, by=me.actor, text="The payment provider says it is theirs: 5 € a minute."),
            SetSeverity(incident=name, by=me.actor, severity="P2", because="a backup is in place"),
            Resolve(incident=name, by=me.actor, notes="The provider is back."),
        )
        for command in said:
            me.ask(name, command)
            time.sleep(PAUSE)

    with ExitStack() as stack:
        stage = set_up(stack, folder, without_runbooks(storefront_playbook()))
        break_the_shop(stage)
        asyncio.run(record_until(stage, IncidentEscalated, out, attend))


# --- how --------------------------------------------------------------------------------------------------------------


def break_the_shop(stage: Stage) -> None:
    url = f"{stage.shop.url}/admin/faults/failing-dependency"
    httpx.post(url, json={"share": 0.9}, timeout=5, trust_env=False).raise_for_status()


def operator_address(stage: Stage) -> Address:
    return Address(stage.tocsin.reach.nats_url, "operator", stage.tocsin.place.passwords()["operator"])


async def record_until(stage: Stage, kind: type[Event], out: Path, then: Callable[[str], None]) -> None:
    """Record the incident once such an event is in its log, and what a person does then has been answered."""
    events: list[Envelope[Payload]] = []

    async def take(batch: Sequence[Envelope[Payload]]) -> None:
        events.extend(batch)

    async with Connection(operator_address(stage), "operator") as connection:
        follower = Follower(connection, "INCIDENTS", (INCIDENTS,), take, service="operator")
        await follower.start()
        async with asyncio.timeout(180):
            while not any(isinstance(event.data, kind) for event in events):
                await asyncio.sleep(0.1)
            incident = next(event.incident for event in events if isinstance(event.data, IncidentOpened))
            await asyncio.sleep(PAUSE)
            await asyncio.to_thread(then, incident)
            receipts = -1
            while receipts != (now := sum(isinstance(event.data, NotificationDelivered) for event in events)):
                receipts = now
                await asyncio.sleep(3)
        await follower.stop()
        await record(connection, incident=incident, out=out)
    without_hostname(out)


def without_hostname(path: Path) -> None:
    """A replica's name begins with that of its computer, which is nobody's business."""
    mine = socket.gethostname().encode()

    def renamed(message: Recorded) -> Recorded:
        return replace(message, data=message.data.replace(mine, HOST.encode()))

    meta = read_meta(path).model_copy(update={"server": "nats-server"})
    messages = [renamed(message) for message in read(path)]
    with RecordingFile(path, meta) as file:
        for message in messages:
            file.write(message)


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, make in (("storefront-mitigated", mitigated), ("storefront-escalated", escalated)):
        out = target / f"{name}.jsonl"
        if out.exists():
            print(f"{out} stays as it is")  # noqa: T201  # a script
            continue
        with tempfile.TemporaryDirectory(prefix="tocsin-golden-", ignore_cleanup_errors=True) as folder:
            make(Path(folder), out)
        print(f"{out}: {sum(1 for _ in read(out))} messages")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
