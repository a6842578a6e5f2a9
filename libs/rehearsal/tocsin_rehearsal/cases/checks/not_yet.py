"""What the format has a word for and the product cannot do yet. Said at its line, rather than let a test pass
that tests nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin_playbook.problems import Path
from tocsin_rehearsal.cases.checks.acts import all_acts
from tocsin_rehearsal.cases.checks.finding import Finding
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.model import CaseFile

STATUS_PAGE = "Tocsin does not publish a status page yet"
PROBES = "Tocsin does not run probes yet"
DEPLOYMENTS = "Tocsin does not hear of deployments yet"
RECORDER = "the recorder does not run in a test: it only reads, and nobody is paged by it"


def not_yet(file: CaseFile, _known: Known) -> Iterator[Finding]:
    """Everything that could not have any effect."""
    for number, case in enumerate(file.tests):
        given: Path = ("tests", number, "given")
        if case.given.probes:
            yield Finding((*given, "probes"), PROBES, "no `probes`", at_key=True)
        if case.given.deployments:
            yield Finding((*given, "deployments"), DEPLOYMENTS, "no `deployments`", at_key=True)
        for index, expectation in enumerate(case.expect):
            if expectation.status_page is not None:
                yield Finding(
                    ("tests", number, "expect", index, "status_page"), STATUS_PAGE, "no `status_page`", at_key=True
                )
    for path, act in all_acts(file):
        for verb in ("kill", "restart"):
            if getattr(act, verb) == "recorder":
                yield Finding((*path, verb), RECORDER, "a service that decides or acts")
