"""Drawing what happens in a simulation: alerts, what people do, what the world outside shows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from tocsin_rehearsal.simulate.playbook import Shape
from tocsin_rehearsal.simulate.profiles import Profile
from tocsin_rehearsal.simulate.steps import Asks, Fires, Mends, Poisons, Shows, Step, Works
from tocsin_rehearsal.simulate.wishes import Verb

__all__ = ["draw_steps", "draw_wishes"]

_ALERTS_END = 2300.0

_SERVICES = ("shop", "api", "search", "billing", "mail", "login")
_NAMES = ("Errors", "Slow", "Full", "Lagging")
_SEVERITIES = ("critical", "major", "minor")


def draw_steps(rng: Random, profile: Profile, shape: Shape, ends: float) -> Iterator[Step]:
    """Most of it while things go wrong, some of it after."""
    latest = min(ends + 300.0, _ALERTS_END - 400.0)
    first = rng.uniform(1.0, 60.0)
    services = rng.sample(_SERVICES, rng.randint(*profile.services))
    at = [first, *(rng.uniform(first, latest) for _ in range(rng.randint(*profile.alerts) - 1))]
    if profile.alerts[1] >= 10:  # a storm: most of them at once
        at = [moment if rng.random() < 0.2 else first + rng.uniform(0.0, 5.0) for moment in at]
    used: Counter[tuple[str, str]] = Counter()
    for moment in at:
        yield from _draw_alert(rng, profile, services, moment, used)
    for _ in range(rng.randint(*profile.commands)):
        near = rng.choice(at) + rng.uniform(0.0, 0.6)  # while all is busy with an alert
        asked_at = near if rng.random() < 0.3 else first + (latest - first) * rng.random() ** 2
        yield from _draw_command(rng, asked_at)
    if (takes := rng.choice((0.0, 0.5, 3.0))) > 0:
        yield Works(0.2, takes)
    if rng.random() < 0.1:
        yield Poisons(rng.choice(at) + rng.uniform(0.0, 2.0), rng.choice(("alerts", "commands", "timers")))
    yield Mends(0.2, is_well=rng.random() < 0.5)
    if rng.random() < 0.5:
        yield Mends(rng.uniform(first, latest), is_well=rng.random() < 0.7)
    if shape.is_scraped:
        yield Shows(0.1, rng.choice((0, 20, 80)))
        yield Shows(rng.uniform(100.0, latest), rng.choice((0, 20, 80)))
        yield Shows(_ALERTS_END - 300.0, 0)


def _draw_alert(
    rng: Random, profile: Profile, services: list[str], at: float, used: Counter[tuple[str, str]]
) -> Iterator[Step]:
    """One alert, which perhaps comes again. No two senders have the same one."""
    name, service = rng.choice(_NAMES), rng.choice(services)
    used[name, service] += 1
    if used[name, service] > 1:
        name = f"{name}{used[name, service]}"
    severity = rng.choices(_SEVERITIES, profile.severities)[0]
    lasts = min(rng.choice(profile.spans) * rng.uniform(0.5, 1.5), _ALERTS_END - 200.0 - at)
    yield Fires(at, name, service, severity, lasts)
    if rng.random() < 0.4:  # it flaps: again soon after it ended, while it is watched or after
        again = at + lasts + rng.choice((0.1, 1.0, 20.0, 70.0, 200.0))
        yield Fires(again, name, service, severity, max(min(60.0, _ALERTS_END - again), 1.0))


def _draw_command(rng: Random, at: float) -> Iterator[Step]:
    verbs: tuple[Verb, ...] = (
        "acknowledge",
        "acknowledge for a while",
        "resolve",
        "escalate",
        "note",
        "approve",
        "severity",
        "stop",
    )
    verb = rng.choices(verbs, (5, 3, 3, 2, 1, 4, 2, 1))[0]
    asked = Asks(
        at,
        rng.choice(("ada", "grace")),
        verb,
        rng.randrange(6),
        rng.choice((20.0, 120.0)),
    )
    yield asked
    if rng.random() < 0.3:  # two people, or one twice, at the same moment or soon after
        again = asked.at + rng.choice((0.0, 0.0, 0.5, 5.0))
        yield Asks(again, rng.choice(("ada", "grace")), verb, asked.which, asked.lasts)


_WISHES: tuple[tuple[Verb, int], ...] = (
    ("take over", 3), ("decline", 4), ("add", 2), ("update", 3), ("status", 3), ("impact", 2), ("release", 1),
    ("severity", 1), ("false alarm", 1), ("reopen", 3), ("merge", 6), ("split", 3), ("split alerts", 3), ("link", 1),
    ("acknowledge", 3), ("acknowledge for a while", 1), ("resolve", 2),
)  # fmt: skip


def draw_wishes(rng: Random, at: Sequence[float]) -> Iterator[Step]:
    """What people ask of each other and say of incidents, most of it soon after one of these moments."""
    verbs, weights = zip(*_WISHES, strict=True)
    for _ in range(rng.randint(1, 8)):
        begun = rng.choice(at) + rng.choice((0.0, 0.3, 5.0, 45.0, 130.0, 400.0)) * rng.uniform(0.9, 1.1)
        verb = rng.choices(verbs, weights)[0]
        who, which = rng.choice(("ada", "ada", "grace", "mallory")), rng.randrange(6)
        yield Asks(begun, who, verb, which, rng.choice((20.0, 120.0)))
        if rng.random() < 0.25:  # somebody else asks for something at the same moment
            verb = rng.choices(verbs, weights)[0]
            yield Asks(begun + rng.choice((0.0, 0.0, 0.2)), rng.choice(("ada", "grace")), verb, rng.randrange(6))
