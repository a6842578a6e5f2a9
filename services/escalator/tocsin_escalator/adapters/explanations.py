"""Which alerts that fire may explain others, and which incidents are muted by them: a hint, as the index is.

Only alerts that an inhibition of their playbook names are held, so that a storm of others costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tocsin_escalator.adapters.kinships import Kinships
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.core.incident import AlertKey, IncidentState
from tocsin_escalator.core.muting import NOTHING_MUTES, Explaining, Mutes, mutes_of
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Labels, PlaybookRef

__all__ = ["Explanations"]


class Explanations:
    """Told by the handlers as they decide, so that one batch may hold a cause and its consequences, and by the log."""

    def __init__(self, rulebooks: Rulebooks) -> None:
        self._rulebooks = rulebooks
        self.kinships = Kinships(rulebooks)
        self._firing: dict[str, dict[AlertKey, Explaining]] = defaultdict(dict)
        self._playbook_of: dict[AlertKey, str] = {}
        self._explained_by: dict[str, str] = {}
        self._parts: set[str] = set()
        self._muted_by: dict[str, set[str]] = defaultdict(set)

    # --- what is known ------------------------------------------------------------------------------------------------

    def mutes(self, rulebook: Rulebook, over: frozenset[str] = frozenset()) -> Mutes:
        """What mutes alerts under this rulebook just now; incidents that are `over` mute none."""
        playbook = rulebook.playbook
        mutes = NOTHING_MUTES
        if playbook.silences or playbook.inhibit:
            mutes = mutes_of(playbook, tuple(self._firing[playbook.metadata.name].values()))
        return replace(mutes, kin=self.kinships.kin(rulebook, over))

    def muted_by(self, incident: str) -> tuple[str, ...]:
        """The incidents that are muted because of an alert of this one, or as a part of it."""
        return tuple(sorted(self._muted_by.get(incident, ())))

    def inhibited_by(self, incident: str) -> tuple[str, ...]:
        """Those of them that are muted because of one of its alerts."""
        return tuple(sorted(self._muted_by.get(incident, set()) - self._parts))

    def unexplained(self) -> Iterator[str]:
        """Incidents that are muted because of an incident in which nothing fires that explains anything, or as a part
        of one that people are not told of any more."""
        explaining = {each.incident for firing in self._firing.values() for each in firing.values()}
        for incident, by in sorted(self._explained_by.items()):
            if by not in (self.kinships if incident in self._parts else explaining):
                yield incident

    # --- what happens -------------------------------------------------------------------------------------------------

    def began(self, playbook: PlaybookRef, incident: str, key: AlertKey, rule: str, labels: Labels) -> None:
        """An alert fires in this incident. While its playbook has not been read, it may explain others."""
        rulebook = self._rulebooks.of_incident(playbook)
        inhibitions = rulebook.playbook.inhibit if rulebook is not None else ()
        if rulebook is None or any(all(each.matches(labels) for each in every.while_) for every in inhibitions):
            self._firing[playbook.name][key] = Explaining(incident, rule, labels)
            self._playbook_of[key] = playbook.name

    def ended(self, key: AlertKey) -> None:
        """An alert has ended; it explains nothing any more."""
        name = self._playbook_of.pop(key, None)
        if name is not None:
            self._firing[name].pop(key, None)

    def stands(self, state: IncidentState) -> None:
        """How an incident stands by now. When it is over, what fires in it explains nothing any more."""
        by = state.muted.explained_by if state.muted is not None and state.is_open else None
        before = self._explained_by.pop(state.incident, None)
        if before is not None:
            self._muted_by[before].discard(state.incident)
            if not self._muted_by[before]:
                del self._muted_by[before]
        self._parts.discard(state.incident)
        if by is not None:
            if state.part_of is not None:
                self._parts.add(state.incident)
            self._explained_by[state.incident] = by
            self._muted_by[by].add(state.incident)
        if not state.is_open:
            for key in (*state.firing, *state.ended):
                self.ended(key)
