"""Which hosts playbooks act upon. In production that is for the deployment to allow; in a virtual world all are."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from tocsin_playbook import Playbook
from tocsin_playbook.model import Step

__all__ = ["hosts_of"]


def hosts_of(playbooks: Iterable[Playbook]) -> str:
    """The remediator's setting `allowed_hosts` that lets every runbook of these act, take back and verify."""
    steps = [step for playbook in playbooks for runbook in playbook.remediate.runbooks for step in runbook.steps]
    urls = [url for step in steps for url in _urls(step)]
    return ",".join(sorted({urlsplit(url).netloc.rpartition("@")[2] for url in urls} or {"127.0.0.1"}))


def _urls(step: Step) -> Iterator[str]:
    actions = [step.http] if step.undo is None else [step.http, step.undo.http]
    for action in actions:
        if action is not None:
            yield action.url
            if action.probe is not None:
                yield action.probe.url
    if step.verify is not None and step.verify.http is not None:
        yield step.verify.http.url
