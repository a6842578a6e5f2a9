"""What the playbooks of a test file define: the names a test may refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tocsin_playbook.model import Playbook, Step


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step of a runbook, and whether it makes requests."""

    runbook: str
    step: str
    is_http: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Names of all playbooks together, in their order."""

    people: tuple[str, ...]
    channels: tuple[str, ...]
    severities: tuple[str, ...]
    alerts: tuple[str, ...]
    probes: tuple[str, ...]
    sources: tuple[str, ...]
    metric_sources: tuple[str, ...]
    """Those that have series."""
    steps: tuple[StepRef, ...]
    urls: tuple[str, ...]
    """Every address that actions and checks ask."""
    components: tuple[str, ...]
    schedules: tuple[str, ...]
    teams: tuple[str, ...]
    services: tuple[str, ...]

    @property
    def runbooks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.runbook for each in self.steps))

    def steps_of(self, runbook: str | None) -> tuple[str, ...]:
        """The steps of one runbook, or of all."""
        return tuple(dict.fromkeys(each.step for each in self.steps if runbook in (None, each.runbook)))


def known_of(playbooks: Iterable[Playbook]) -> Known:
    """What these playbooks define."""
    all_of = tuple(playbooks)
    pages = [each.communicate.status_page for each in all_of if each.communicate.status_page is not None]
    sources = [source for each in all_of for source in each.sources]
    return Known(
        people=_names(person.name for each in all_of for person in each.oncall.people),
        channels=_names(channel.name for each in all_of for channel in each.communicate.channels),
        severities=_names(severity.name for each in all_of for severity in each.severities),
        alerts=_names(signal.name for each in all_of for signal in each.detect.signals),
        probes=_names(probe.name for each in all_of for probe in each.detect.probes),
        sources=_names(source.name for source in sources),
        metric_sources=_names(source.name for source in sources if source.webhook is None),
        steps=tuple(
            StepRef(runbook.name, step.name, step.http is not None)
            for each in all_of
            for runbook in each.remediate.runbooks
            for step in runbook.steps
        ),
        urls=_names(url for each in all_of for url in _urls(each)),
        components=_names(component.name for page in pages for component in page.components),
        schedules=_names(schedule.name for each in all_of for schedule in each.oncall.schedules),
        services=_names(service.name for each in all_of for service in each.services),
        teams=_names(team.name for each in all_of for team in each.oncall.teams),
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _urls(playbook: Playbook) -> Iterator[str]:
    for runbook in playbook.remediate.runbooks:
        for step in runbook.steps:
            yield from _urls_of(step)
    yield from (probe.http.url for probe in playbook.detect.probes if probe.http is not None)


def _urls_of(step: Step) -> Iterator[str]:
    for action in (step.http, step.undo.http if step.undo is not None else None):
        if action is not None:
            yield action.url
            if action.probe is not None:
                yield action.probe.url
    if step.verify is not None and step.verify.http is not None:
        yield step.verify.http.url
