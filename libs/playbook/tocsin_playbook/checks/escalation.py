"""Escalation that cannot happen, and severities nobody hears of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tocsin_playbook.checks.finding import Finding
from tocsin_playbook.model import ChannelRef, EscalationPolicy, Playbook
from tocsin_playbook.model.durations import format_duration
from tocsin_playbook.problems import Path


def policies(playbook: Playbook) -> Iterator[Finding]:
    """One policy for each severity; levels that can be reached."""
    owner: dict[str, EscalationPolicy] = {}
    for number, policy in enumerate(playbook.escalate):
        for index, severity in enumerate(policy.severities):
            if severity in owner:
                yield Finding(
                    ("escalate", number, "severities", index),
                    f"{severity} already has an escalation policy",
                    "one policy for each severity",
                )
            owner.setdefault(severity, policy)
        yield from _levels(policy, ("escalate", number))
        yield from _raise(playbook, policy, ("escalate", number))
    for number, each in enumerate(playbook.severities):
        if each.name not in owner:
            yield Finding(
                ("severities", number, "name"),
                f"no escalation policy is for {each.name}: nobody is paged",
                "a policy under `escalate` that lists it",
                level="warning",
            )


def warnings(playbook: Playbook) -> Iterator[Finding]:
    """A warning that would be due before its target has begun."""
    for number, severity in enumerate(playbook.severities):
        targets = [
            target
            for target in (severity.acknowledge_within, severity.resolve_within)
            if isinstance(target, timedelta)  # business days are longer than any warning that makes sense
        ]
        if severity.warn_before is not None and targets and severity.warn_before >= min(targets):
            yield Finding(
                ("severities", number, "warn_before"),
                f"a target of {format_duration(min(targets))} is warned of before it begins",
                f"less than {format_duration(min(targets))}",
                level="warning",
            )


def everybody_answers(playbook: Playbook) -> Iterator[Finding]:
    """Levels that wait for an answer of each person, and tell none."""
    for number, policy in enumerate(playbook.escalate):
        for index, level in enumerate(policy.levels):
            if level.each and all(isinstance(target, ChannelRef) for target in level.notify):
                yield Finding(
                    ("escalate", number, "levels", index, "each"),
                    "this level tells nobody who could answer, only channels",
                    "a person, a team or a schedule in `notify`",
                    level="warning",
                )


def _levels(policy: EscalationPolicy, where: Path) -> Iterator[Finding]:
    for index, (before, level) in enumerate(zip(policy.levels, policy.levels[1:], strict=False), start=1):
        if level.after <= before.after:
            yield Finding(
                (*where, "levels", index, "after"),
                "this level is never reached by itself: it is due no later than the one before it",
                f"more than {format_duration(before.after)}",
            )


def _raise(playbook: Playbook, policy: EscalationPolicy, where: Path) -> Iterator[Finding]:
    raised = policy.raise_severity
    ranks = {severity.name: rank for rank, severity in enumerate(playbook.severities)}
    if raised is None or raised.to not in ranks:
        return
    for severity in policy.severities:
        if ranks.get(severity, len(ranks)) <= ranks[raised.to]:
            yield Finding(
                (*where, "raise_severity", "to"),
                f"{severity} is already as severe as {raised.to}",
                "a severity above all of the policy's",
            )
            return
    for index, level in enumerate(policy.levels):
        if level.after >= raised.after:
            yield Finding(
                (*where, "levels", index, "after"),
                f"this level is never reached: after {format_duration(raised.after)} "
                f"the incident is {raised.to} and has another policy",
                f"less than {format_duration(raised.after)}",
            )
            return


def silences(playbook: Playbook) -> Iterator[Finding]:
    """Silences, and inhibitions, that match everything."""
    for number, silence in enumerate(playbook.silences):
        if all(matcher.matches_anything for matcher in silence.match):
            yield Finding(("silences", number, "match"), "this silences every alert", "a matcher that leaves some out")
    for number, inhibition in enumerate(playbook.inhibit):
        if all(matcher.matches_anything for matcher in inhibition.mute) and not inhibition.same:
            yield Finding(
                ("inhibit", number, "mute"), "this mutes every alert", "a matcher that leaves some out, or `same`"
            )
