"""Names: each defined once, and each that is used is defined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from tocsin_playbook.checks.finding import Finding, listed
from tocsin_playbook.model import (
    AnyTarget,
    ChannelRef,
    PersonRef,
    Playbook,
    ScheduleRef,
    TeamRef,
)
from tocsin_playbook.problems import Path


def unknown_names(playbook: Playbook) -> Iterator[Finding]:
    """References to what does not exist."""
    defined = _defined(playbook)
    for kind, name, path in _references(playbook):
        if name not in defined[kind]:
            close = get_close_matches(name, defined[kind], n=1)
            yield Finding(path, f"there is no {kind} {name!r}", close[0] if close else listed(defined[kind]))


def repeated_names(playbook: Playbook) -> Iterator[Finding]:
    """Two things of one kind with the same name."""
    for kind, path, names in _definitions(playbook):
        seen: set[str] = set()
        for index, (name, where) in enumerate(names):
            if name in seen:
                at = where or (*path, index, "name")
                yield Finding(at, f"there are two {kind} called {name!r}", "a name of its own")
            seen.add(name)


def missing_addresses(playbook: Playbook) -> Iterator[Finding]:
    """A channel that is meant without saying where, and has no address of its own."""
    addressed = {
        channel.name for channel in playbook.communicate.channels if channel.address or _needs_none(channel.kind)
    }
    known = {channel.name for channel in playbook.communicate.channels}
    for target, path in _targets(playbook):
        if isinstance(target, ChannelRef) and target.address is None and target.name in known - addressed:
            yield Finding(
                path, f"{target} does not say where in the channel", f"channel:{target.name}:<address>, or an `address`"
            )


def _needs_none(kind: str) -> bool:
    return kind in ("webhook", "pagerduty", "apprise", "console")


def _defined(playbook: Playbook) -> dict[str, list[str]]:
    return {
        "severity": [each.name for each in playbook.severities],
        "source": [each.name for each in playbook.sources],
        "person": [each.name for each in playbook.oncall.people],
        "team": [each.name for each in playbook.oncall.teams],
        "schedule": [each.name for each in playbook.oncall.schedules],
        "channel": [each.name for each in playbook.communicate.channels],
        "runbook": [each.name for each in playbook.remediate.runbooks],
        "service": [each.name for each in playbook.services],
    }


_Named = tuple[str, Path | None]


def _definitions(playbook: Playbook) -> Iterator[tuple[str, Path, list[_Named]]]:
    def names(items: Iterable[object]) -> list[_Named]:
        return [(str(getattr(item, "name")), None) for item in items]  # noqa: B009 - each of them has a name

    oncall, communicate = playbook.oncall, playbook.communicate
    yield "severities", ("severities",), names(playbook.severities)
    yield "sources", ("sources",), names(playbook.sources)
    signals = [
        (signal.name, ("detect", section, index, "name"))
        for section in ("rules", "probes", "burn_rates", "absent", "anomalies")
        for index, signal in enumerate(getattr(playbook.detect, section))
    ]
    yield "alerts", (), list(signals)
    yield "services", ("services",), names(playbook.services)
    yield "silences", ("silences",), names(playbook.silences)
    yield "people", ("oncall", "people"), names(oncall.people)
    yield "teams", ("oncall", "teams"), names(oncall.teams)
    yield "schedules", ("oncall", "schedules"), names(oncall.schedules)
    yield "roles", ("oncall", "roles"), names(oncall.roles)
    yield "runbooks", ("remediate", "runbooks"), names(playbook.remediate.runbooks)
    for number, runbook in enumerate(playbook.remediate.runbooks):
        yield "steps", ("remediate", "runbooks", number, "steps"), names(runbook.steps)
    yield "channels", ("communicate", "channels"), names(communicate.channels)
    if communicate.status_page:
        yield "components", ("communicate", "status_page", "components"), names(communicate.status_page.components)


_Reference = tuple[str, str, Path]


def _references(playbook: Playbook) -> Iterator[_Reference]:
    """Every use of a name: its kind, the name, and where it stands."""
    yield from _severity_references(playbook)
    yield from _signal_references(playbook)
    yield from _oncall_references(playbook)
    for target, path in _targets(playbook):
        match target:
            case PersonRef() | TeamRef() | ScheduleRef() | ChannelRef():
                yield target.kind, target.name, path
    for number, service in enumerate(playbook.services):
        for index, needed in enumerate(service.depends_on):
            yield "service", needed, ("services", number, "depends_on", index)
    for index, channel in enumerate(playbook.communicate.channels):
        if channel.fallback is not None:
            yield "channel", channel.fallback, ("communicate", "channels", index, "fallback")
    if playbook.communicate.war_room is not None:
        yield "channel", playbook.communicate.war_room.channel, ("communicate", "war_room", "channel")


def _severity_references(playbook: Playbook) -> Iterator[_Reference]:
    def listed_in(severities: Iterable[str], *path: str | int) -> Iterator[_Reference]:
        for index, severity in enumerate(severities):
            yield "severity", severity, (*path, "severities", index)

    for section in ("rules", "probes", "burn_rates", "anomalies"):
        for number, signal in enumerate(getattr(playbook.detect, section)):
            for index, rung in enumerate(signal.ladder):
                yield "severity", rung.severity, ("detect", section, number, "ladder", index, "severity")
    for number, absence in enumerate(playbook.detect.absent):
        yield "severity", absence.severity, ("detect", "absent", number, "severity")
    for number, source in enumerate(playbook.sources):
        if source.webhook is not None:
            where: Path = ("sources", number, "webhook")
            for theirs, ours in source.webhook.severities.items():
                yield "severity", ours, (*where, "severities", theirs)
            if source.webhook.default_severity is not None:
                yield "severity", source.webhook.default_severity, (*where, "default_severity")
    for number, rule in enumerate(playbook.classify):
        yield "severity", rule.severity, ("classify", number, "severity")
    for number, policy in enumerate(playbook.escalate):
        yield from listed_in(policy.severities, "escalate", number)
        if policy.raise_severity is not None:
            yield "severity", policy.raise_severity.to, ("escalate", number, "raise_severity", "to")
    for number, role in enumerate(playbook.oncall.roles):
        yield from listed_in(role.severities, "oncall", "roles", number)
    for number, runbook in enumerate(playbook.remediate.runbooks):
        yield from listed_in(runbook.severities, "remediate", "runbooks", number)
    for section in ("announce", "cadence"):
        for number, each in enumerate(getattr(playbook.communicate, section)):
            yield from listed_in(each.severities, "communicate", section, number)
    for section in ("status_page", "war_room"):
        if (place := getattr(playbook.communicate, section)) is not None:
            yield from listed_in(place.severities, "communicate", section)
    yield from listed_in(playbook.review.severities, "review")
    for number, deadline in enumerate(playbook.review.deadlines):
        yield from listed_in(deadline.severities, "review", "deadlines", number)


def _signal_references(playbook: Playbook) -> Iterator[_Reference]:
    for section in ("rules", "probes", "burn_rates", "absent", "anomalies"):
        for number, signal in enumerate(getattr(playbook.detect, section)):
            for kind in ("source", "runbook"):
                if (name := getattr(signal, kind)) is not None:
                    yield kind, name, ("detect", section, number, kind)


def _oncall_references(playbook: Playbook) -> Iterator[_Reference]:
    for number, person in enumerate(playbook.oncall.people):
        for index, contact in enumerate(person.contacts):
            yield "channel", contact.channel, ("oncall", "people", number, "contacts", index, "channel")
        for index, rule in enumerate(person.rules):
            for place, severity in enumerate(rule.severities):
                yield "severity", severity, ("oncall", "people", number, "rules", index, "severities", place)
    for number, team in enumerate(playbook.oncall.teams):
        for index, member in enumerate(team.members):
            yield "person", member, ("oncall", "teams", number, "members", index)
        if team.lead is not None:
            yield "person", team.lead, ("oncall", "teams", number, "lead")
    for number, schedule in enumerate(playbook.oncall.schedules):
        where: Path = ("oncall", "schedules", number)
        for index, layer in enumerate(schedule.layers):
            for turn, name in enumerate(layer.people):
                yield "person", name, (*where, "layers", index, "people", turn)
        for index, override in enumerate(schedule.overrides):
            yield "person", override.person, (*where, "overrides", index, "person")


def _targets(playbook: Playbook) -> Iterator[tuple[AnyTarget, Path]]:
    """Every person:, team:, schedule: and channel: of the playbook, and where it stands."""

    def each(targets: Iterable[AnyTarget], *path: str | int) -> Iterator[tuple[AnyTarget, Path]]:
        for index, target in enumerate(targets):
            yield target, (*path, index)

    for number, role in enumerate(playbook.oncall.roles):
        if role.held_by is not None:
            yield role.held_by, ("oncall", "roles", number, "held_by")
    for number, policy in enumerate(playbook.escalate):
        for index, level in enumerate(policy.levels):
            yield from each(level.notify, "escalate", number, "levels", index, "notify")
        yield from each(policy.last_resort, "escalate", number, "last_resort")
    for number, runbook in enumerate(playbook.remediate.runbooks):
        for index, step in enumerate(runbook.steps):
            yield from each(step.approval.by, "remediate", "runbooks", number, "steps", index, "approval", "by")
    for number, announcement in enumerate(playbook.communicate.announce):
        yield from each(announcement.to, "communicate", "announce", number, "to")
    for number, cadence in enumerate(playbook.communicate.cadence):
        yield from each(cadence.remind, "communicate", "cadence", number, "remind")
    if playbook.communicate.war_room is not None:
        yield from each(playbook.communicate.war_room.invite, "communicate", "war_room", "invite")
    review = playbook.review
    if review.owner is not None:
        yield review.owner, ("review", "owner")
    yield from each(review.attendees, "review", "attendees")
    if review.action_items.owner is not None:
        yield review.action_items.owner, ("review", "action_items", "owner")
