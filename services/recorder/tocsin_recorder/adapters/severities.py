"""Which severities there are, and how bad each is."""

from tocsin_playbook import Playbook
from tocsin_recorder.core.summary import Summary
from tocsin_runtime.playbooks import Playbooks, UnknownPlaybookError
from tocsin_schemas import PlaybookRef

__all__ = ["Severities"]


class Severities:
    """How bad a severity is, as the incident's playbook has it: the names are the team's own."""

    def __init__(self, playbooks: Playbooks) -> None:
        self._playbooks = playbooks

    def rank(self, summary: Summary) -> str:
        """`0` for the most severe to `3`; `other` where the playbook does not say."""
        names = self.ladder(summary)
        return str(min(names.index(summary.severity), 3)) if summary.severity in names else "other"

    def ladder(self, summary: Summary) -> tuple[str, ...]:
        """All severities that there are, the most severe first; none where the playbook is not known."""
        playbook = self._playbook(summary)
        return tuple(severity.name for severity in playbook.severities) if playbook else ()

    def _playbook(self, summary: Summary) -> Playbook | None:
        if summary.playbook is None:
            return None
        try:
            return self._playbooks.get(PlaybookRef(name=summary.playbook.name, revision=summary.playbook.revision))
        except UnknownPlaybookError:
            return None
