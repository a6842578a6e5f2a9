"""What the recorder makes of the log."""

from collections import defaultdict
from collections.abc import Sequence

from tocsin_recorder.adapters.summaries import load_summary
from tocsin_recorder.core.fold import fold
from tocsin_recorder.core.timeline import Entry, Head, stored_id, verify
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Invariant

__all__ = ["TimelineWhole"]


class TimelineWhole(Invariant):
    """13: every incident's entries are its events in the order of the log, numbered from 1 and sealed with the one
    before, and its summary is the fold of them. Looked at where a recorder takes part."""

    numbers = "13"

    def when_healed(self) -> None:
        """It has caught up."""
        timeline, last = self.course.timeline, self.world.broker.streams["INCIDENTS"].last
        if timeline is not None and timeline.position("INCIDENTS") != last:
            self.fails(f"the timeline is at {timeline.position('INCIDENTS')} and the log at {last}")

    def at_end(self) -> None:
        timeline = self.course.timeline
        if timeline is None:
            return
        entries: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in timeline.entries():
            entries[entry.incident].append(entry)
        stored = timeline.incidents()
        for name, life in self.history.incidents.items():
            count, head, summary = stored.get(name, (0, "", ""))
            self._check_chain(name, entries.pop(name, []), life.events, Head(name, count, head))
            if load_summary(summary) != fold(name, [happened.envelope for happened in life.events]):
                self.fails("its summary is not what its events add up to", name)
        for name in entries:
            self.fails("stands on the timeline, and not in the log", name)

    def _check_chain(self, name: str, entries: Sequence[Entry], events: Sequence[Happened], end: Head) -> None:
        if [entry.id for entry in entries] != [stored_id(happened.envelope.id) for happened in events]:
            self.fails(f"{len(entries)} entries of {len(events)} events, or in another order", name)
        if (broken := verify(name, entries, end)) is not None:
            self.fails(f"entry {broken.seq}: {broken.reason}", name)
