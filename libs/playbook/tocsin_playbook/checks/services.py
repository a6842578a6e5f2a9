"""The graph of services: circles in it."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin_playbook.checks.finding import Finding
from tocsin_playbook.model import Playbook

_SHOWN = 6


def circles(playbook: Playbook) -> Iterator[Finding]:
    """Services that cannot work without themselves: each circle is told where it closes, in linear time."""
    numbers = {service.name: number for number, service in reversed(list(enumerate(playbook.services)))}
    finished: set[int] = set()
    for start in range(len(playbook.services)):
        if start in finished:
            continue
        path, on_path, left = [start], {start}, [_needs(playbook, start, numbers)]
        while path:
            following = next(left[-1], None)
            if following is None:
                on_path.discard(path[-1])
                finished.add(path.pop())
                left.pop()
                continue
            index, needed = following
            if needed in on_path:
                yield _circle(playbook, path[path.index(needed) :], index)
            elif needed not in finished:
                path.append(needed)
                on_path.add(needed)
                left.append(_needs(playbook, needed, numbers))


def _needs(playbook: Playbook, number: int, numbers: dict[str, int]) -> Iterator[tuple[int, int]]:
    """What a service needs: the place in its list, and the number of the other."""
    for index, name in enumerate(playbook.services[number].depends_on):
        if name in numbers:
            yield index, numbers[name]


def _circle(playbook: Playbook, members: list[int], index: int) -> Finding:
    names = [playbook.services[number].name for number in (*members, members[0])]
    if len(names) > _SHOWN + 1:
        names = [*names[:_SHOWN], "…", names[-1]]
    return Finding(
        ("services", members[-1], "depends_on", index),
        f"these services depend on each other in a circle: {', '.join(names)}",
        "an order in which each needs only those below it",
        level="warning",
    )
