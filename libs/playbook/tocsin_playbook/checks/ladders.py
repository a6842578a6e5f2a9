"""Thresholds that can never decide, and sources that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin_playbook.checks.finding import Finding
from tocsin_playbook.model import Playbook, ProbeRung, Rung
from tocsin_playbook.model.durations import format_duration
from tocsin_playbook.problems import Path


def unreachable_rungs(playbook: Playbook) -> Iterator[Finding]:
    """The first rung that holds decides; one that only holds when an earlier one does is never reached."""
    for number, rule in enumerate(playbook.detect.rules):
        yield from _among(rule.ladder, ("detect", "rules", number, "ladder"))
    for number, probe in enumerate(playbook.detect.probes):
        yield from _among(probe.ladder, ("detect", "probes", number, "ladder"))
    for number, anomaly in enumerate(playbook.detect.anomalies):
        where: Path = ("detect", "anomalies", number, "ladder")
        for index, rung in enumerate(anomaly.ladder):
            for earlier in anomaly.ladder[:index]:
                if earlier.deviations <= rung.deviations and earlier.lasting <= rung.lasting:
                    yield _never(where, index, earlier.severity, "deviations")
                    break


def _among(ladder: Sequence[Rung | ProbeRung], where: Path) -> Iterator[Finding]:
    for index, rung in enumerate(ladder):
        for earlier in ladder[:index]:
            if _covers(earlier, rung):
                side = "failures" if isinstance(rung, ProbeRung) else "above" if rung.above is not None else "below"
                yield _never(where, index, earlier.severity, side)
                break


def _covers(earlier: Rung | ProbeRung, later: Rung | ProbeRung) -> bool:
    """Whether the earlier one holds whenever the later one does."""
    if earlier.lasting > later.lasting:
        return False
    if isinstance(earlier, ProbeRung) or isinstance(later, ProbeRung):
        return isinstance(earlier, ProbeRung) and isinstance(later, ProbeRung) and earlier.failures <= later.failures
    if earlier.above is not None and later.above is not None:
        return earlier.above <= later.above
    if earlier.below is not None and later.below is not None:
        return earlier.below >= later.below
    return False


def _never(where: Path, index: int, severity: str, side: str) -> Finding:
    return Finding(
        (*where, index, side),
        f"this is never reached: the {severity} rung above it holds whenever it does",
        "a ladder that begins with the most severe threshold",
    )


def severity_order(playbook: Playbook) -> Iterator[Finding]:
    """A ladder that is not most severe first."""
    ranks = {severity.name: rank for rank, severity in enumerate(playbook.severities)}
    for section in ("rules", "probes", "burn_rates", "anomalies"):
        for number, signal in enumerate(getattr(playbook.detect, section)):
            for index, (earlier, rung) in enumerate(zip(signal.ladder, signal.ladder[1:], strict=False), start=1):
                if ranks.get(rung.severity, len(ranks)) < ranks.get(earlier.severity, -1):
                    yield Finding(
                        ("detect", section, number, "ladder", index, "severity"),
                        f"{rung.severity} is more severe than the {earlier.severity} before it",
                        "the most severe first",
                        level="warning",
                    )


def nothing_to_look_at(playbook: Playbook) -> Iterator[Finding]:
    """Expressions without any source of metrics."""
    metric = {source.name for source in playbook.sources if source.webhook is None}
    for section in ("rules", "burn_rates", "absent", "anomalies"):
        for number, signal in enumerate(getattr(playbook.detect, section)):
            here: Path = ("detect", section, number)
            if not metric:
                yield Finding((*here, "name"), "there is no source of metrics for this", "a source", level="warning")
            elif any(signal.source == source.name for source in playbook.sources) and signal.source not in metric:
                yield Finding((*here, "source"), f"{signal.source} brings alerts, not metrics", "a source of metrics")


def odd_times(playbook: Playbook) -> Iterator[Finding]:
    """Times that contradict each other."""
    for number, burn in enumerate(playbook.detect.burn_rates):
        for index, window in enumerate(burn.ladder):
            if window.lasting > window.long:
                yield Finding(
                    ("detect", "burn_rates", number, "ladder", index, "for"),
                    "it must hold for longer than its long window",
                    f"at most {format_duration(window.long)}",
                    level="warning",
                )
    for number, probe in enumerate(playbook.detect.probes):
        if probe.timeout > probe.every:
            yield Finding(
                ("detect", "probes", number, "every"),
                f"the next probe is due before this one times out ({format_duration(probe.timeout)})",
                "`timeout` not longer than `every`",
                level="warning",
            )
    for number, runbook in enumerate(playbook.remediate.runbooks):
        for index, step in enumerate(runbook.steps):
            if step.verify is not None and step.verify.every > step.verify.within:
                yield Finding(
                    ("remediate", "runbooks", number, "steps", index, "verify"),
                    "there is no time for a second look",
                    "`every` not longer than `within`",
                    level="warning",
                )
