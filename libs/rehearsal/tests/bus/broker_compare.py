"""Whether the model is kinder than the server: how two histories of one script differ."""

from collections.abc import Iterator, Sequence

from broker_play import History
from broker_script import Script

__all__ = ["differences"]

_UNORDERED = "DEADLETTERS"
"""What handlers write, which run side by side."""


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
        if seen != expected and stream != _UNORDERED:
            here, there = _without(seen, expected), _without(expected, seen)
            yield f"{stream}: only on the server {here}, only in the model {there}"


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
