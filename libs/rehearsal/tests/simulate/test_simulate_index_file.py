"""The escalator's index that is kept on disk: whoever takes it up knows what they know who have read the whole log."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex, Standing
from tocsin_escalator.adapters.index_file import IndexFile
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_playbook import Playbook, load
from tocsin_rehearsal.simulate.plan import draw
from tocsin_rehearsal.simulate.playbook import playbook_text
from tocsin_rehearsal.simulate.run import perform
from tocsin_runtime import SystemClock
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import Envelope, Event, PlaybookRef


class Shelf:
    """One playbook."""

    def __init__(self, text: str) -> None:
        self._playbook = load(text).playbook

    def get(self, ref: PlaybookRef) -> Playbook:
        return self._playbook


@dataclass
class Log:
    """The log, as far as an index looks at it."""

    events: list[Envelope[Event]]

    async def first(self, subject: str, start: int) -> Envelope[Event] | None:
        return next((event for event in self.events if event.sequence >= start), None)


class Knowing:
    """An index with all that hangs on it."""

    def __init__(self, text: str, log: Log, folder: Path) -> None:
        rulebooks = Rulebooks(cast(Playbooks, Shelf(text)), Orders(lambda *_: None))  # type: ignore[arg-type,return-value]  # nobody orders
        self.explanations = Explanations(rulebooks)
        self.index = IncidentIndex(self.explanations)
        self.file = IndexFile(folder, self.index, cast(IncidentLog, log), "of the escalator", SystemClock())

    def all(self) -> dict[str, object]:
        """Everything that decisions may ask for."""
        mine, kin = self.explanations, self.explanations.kinships
        standing: Standing = self.index.standing()
        return {
            "standing": standing._replace(incidents=tuple(sorted(standing.incidents))),
            "of alerts": dict(self.index._of_alert),
            "explaining": {name: dict(firing) for name, firing in mine._firing.items() if firing},
            "playbook of": dict(mine._playbook_of),
            "explained by": dict(mine._explained_by),
            "muted by": dict(mine._muted_by),
            "parts": set(mine._parts),
            "relatives": [
                (name, each, relative)
                for name, found in sorted(kin._relatives.items())
                for each in sorted(self.index._folded)
                if (relative := found.get(each)) is not None
            ],
            "services": {name: services for name, (_, services) in kin._services.items()},
        }


@pytest.mark.parametrize("profile", ["everything", "people"])
@pytest.mark.parametrize("seed", range(1, 4))
def test_who_takes_up_the_index_knows_what_those_know_who_read_the_whole_log(
    profile: str, seed: int, tmp_path: Path
) -> None:
    plan = draw(seed, profile)
    _, course = perform(plan)
    text = playbook_text(plan.shape)
    events = [each.envelope for each in course.history.events if each.data.OWNER == "escalator"]
    log = Log(events)

    async def compare() -> None:
        read = Knowing(text, log, tmp_path)
        await read.index.on_events(events)
        whole, read_up_to = Knowing(text, log, tmp_path), 0
        for cut in (len(events) // 3, 2 * len(events) // 3):
            await whole.index.on_events(events[read_up_to:cut])
            await whole.file.save()
            taken_up = Knowing(text, log, tmp_path)
            assert await taken_up.file.resume() == events[cut - 1].sequence
            assert taken_up.all() == whole.all()
            await taken_up.index.on_events(events[cut:])
            assert taken_up.all() == read.all()
            read_up_to = cut

    assert len(events) > 20, "something happened"
    asyncio.run(compare())
