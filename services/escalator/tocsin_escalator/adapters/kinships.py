"""Which open incidents others may be a part of by the graph of services: a hint, as the index is.

Only incidents of playbooks that correlate are held, so that others cost nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import takewhile

from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.core.incident import HELD, WAITING, AlertKey, Firing, IncidentState
from tocsin_escalator.core.kin import Kin, Relatives, relative_of, services_of
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_playbook import Playbook
from tocsin_schemas import Labels

__all__ = ["Kinships"]

StateOf = Callable[[str], IncidentState | None]


class Kinships:
    """Told by the handlers as they decide, so that one batch may hold an incident and its parts, and by the log."""

    def __init__(self, rulebooks: Rulebooks) -> None:
        self._rulebooks = rulebooks
        self._relatives: dict[str, Relatives] = defaultdict(Relatives)
        self._services: dict[str, tuple[Mapping[AlertKey, Firing], frozenset[str]]] = {}
        self.state_of: StateOf = _nobody_knows

    def __contains__(self, incident: object, /) -> bool:
        """Whether people are told of this incident. While it is quiet nobody is."""
        known = self._services.get(str(incident))
        if known is not None:
            found = (relatives.get(str(incident)) for relatives in self._relatives.values())
            return any(relative is not None and not relative.is_quiet for relative in found)
        state = self.state_of(str(incident))
        return state is not None and state.phase in WAITING | HELD and state.muted is None

    def kin(self, rulebook: Rulebook, over: frozenset[str] = frozenset()) -> Kin:
        """As decisions under this rulebook need it."""
        playbook = rulebook.playbook
        if playbook.group.correlate_within is None:
            return Kin(self, (), playbook, over)
        return Kin(self, self._relatives[playbook.metadata.name], playbook, over)

    def stands(self, state: IncidentState) -> None:
        """How an incident stands by now."""
        if state.opening is None:
            return
        rulebook = self._rulebooks.of_incident(state.opening.playbook)
        if rulebook is None or rulebook.playbook.group.correlate_within is None:
            return
        playbook = rulebook.playbook
        relatives = self._relatives[playbook.metadata.name]
        if not state.is_open or state.muted is not None:
            relatives.drop(state.incident)
            self._services.pop(state.incident, None)
            return
        relative = relative_of(state, playbook, self._services_of(state, state.opening.labels, playbook))
        if relative is not None and relative != relatives.get(state.incident):
            relatives.add(relative)

    def _services_of(self, state: IncidentState, shared: Labels, playbook: Playbook) -> frozenset[str]:
        """The services that its alerts have been about since people were told of it. Only new alerts are looked at:
        an incident may have thousands, and this is asked for each.
        """
        firing, services = self._services.get(state.incident, ({}, services_of(playbook, (shared,))))
        new = [state.firing[key].labels for key in takewhile(lambda key: key not in firing, reversed([*state.firing]))]
        if new or state.incident not in self._services:
            services |= services_of(playbook, new)
            self._services[state.incident] = (state.firing, services)
        return services


def _nobody_knows(incident: str) -> IncidentState | None:
    return None
