"""Whether the model is kinder than the server: how two histories of one script differ."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from broker_play import History
from broker_script import Script

__all__ = ["differences"]

_UNORDERED = "DEADLETTERS"
"""What handlers write, which run side by side."""

_EITHER_FIRST = 0.4
"""Seconds of the script. The server looks at its clocks four times a second at most: what has become due since it last
looked rings in the order it was armed in. So of two clocks that are due as close as this either may ring first; which
one does is decided by when the server happens to look.
"""

_RING = "tocsin.timers.due."
_Messages = Sequence[tuple[int, str, str]]


def differences(script: Script, server: History, models: Sequence[History]) -> list[str]:
    """What the server did that the model does not. Of several models each is what the model is free to do."""
    calm = models[0]
    found = [*_of_results(server, calm), *_of_contents(server, calm), *_of_followers(server, calm)]
    found += _of_dead_letters(server, models)
    for message in sorted(set(server.deliveries) | set(calm.deliveries)):
        seen = server.deliveries.get(message)
        allowed = [model.deliveries.get(message) for model in models]
        if seen not in allowed:
            found.append(f"{message}: delivered {seen} by the server; by the model {_distinct(allowed)}")
    if not (server.became_idle and calm.became_idle):
        found.append(f"became idle: server {server.became_idle}, model {calm.became_idle}")
    return [f"seed {script.seed}: {each}" for each in found]


def _of_results(server: History, model: History) -> Iterator[str]:
    for (step, seen), (_, expected) in zip(server.results, model.results, strict=True):
        if seen != expected:
            yield f"{step}: server {seen}, model {expected}"


def _of_contents(server: History, model: History) -> Iterator[str]:
    for stream, seen in server.contents.items():
        expected = model.contents[stream]
        if stream != _UNORDERED and not _are_alike(seen, expected, model.rings):
            here, there = _without(seen, expected), _without(expected, seen)
            yield f"{stream}: only on the server {here}, only in the model {there}"


def _are_alike(seen: _Messages, expected: _Messages, rings: Mapping[str, float]) -> bool:
    """Whether they are the same but for the order of clocks of which either may ring first."""
    heard, ours = _rings_apart(seen)
    expected_heard, theirs = _rings_apart(expected)
    if ours != theirs or sorted(heard) != sorted(expected_heard):
        return False
    place = {name: index for index, name in enumerate(expected_heard)}
    return all(
        place[one] < place[other] or abs(rings[one] - rings[other]) < _EITHER_FIRST
        for one, other in combinations(heard, 2)
    )


def _rings_apart(messages: _Messages) -> tuple[list[str], list[tuple[int, str, str]]]:
    """The names of the clocks that rang, in their order, and everything else with the places of the rings."""
    heard = [name for _, subject, name in messages if subject.startswith(_RING)]
    others = [
        (place, "a ring", "") if subject.startswith(_RING) else (place, subject, name)
        for place, subject, name in messages
    ]
    return heard, others


def _of_followers(server: History, model: History) -> Iterator[str]:
    """In order and without gaps; what is told again after a break is left out."""
    seen, expected = (sorted(set(history.followed)) for history in (server, model))
    firsts = list(dict.fromkeys(server.followed))
    if seen != expected or firsts != seen:
        yield f"followed: by the server {server.followed}, in the model {model.followed}"


def _of_dead_letters(server: History, models: Sequence[History]) -> Iterator[str]:
    seen, *allowed = (
        {name for place, subject, name in history.contents[_UNORDERED] if subject != "the end"}
        for history in (server, *models)
    )
    if not set.intersection(*allowed) <= seen <= set.union(*allowed):
        yield f"dead letters: server {sorted(seen)}, model {_distinct([sorted(each) for each in allowed])}"


def _without(these: Sequence[object], those: Sequence[object]) -> list[object]:
    return [each for each in these if each not in those]


def _distinct(values: Sequence[object]) -> list[object]:
    return [value for place, value in enumerate(values) if value not in values[:place]]
