"""Which moment meets which item, so that as many items as possible are met, each by a moment of its own."""

from __future__ import annotations

from collections.abc import Sequence


def matching(candidates: Sequence[Sequence[int]]) -> list[int | None]:
    """For each item, the moment it is given out of those that would do; None where none is left.

    A largest matching in a bipartite graph by augmenting paths (Kuhn): an item that finds its moment taken asks the
    one that has it to take another. Without recursion, for any number of items.
    """
    holder: dict[int, int] = {}
    for item in range(len(candidates)):
        _augment(item, candidates, holder)
    given: list[int | None] = [None] * len(candidates)
    for moment, item in holder.items():
        given[item] = moment
    return given


def _augment(start: int, candidates: Sequence[Sequence[int]], holder: dict[int, int]) -> None:
    came_from: dict[int, int] = {}  # moment → the item that asks for it
    queue = [start]
    for item in queue:
        for moment in candidates[item]:
            if moment in came_from:
                continue
            came_from[moment] = item
            if moment in holder:
                queue.append(holder[moment])
                continue
            _hand_over(moment, start, came_from, holder)
            return


def _hand_over(free: int, start: int, came_from: dict[int, int], holder: dict[int, int]) -> None:
    had = {item: moment for moment, item in holder.items()}
    moment = free
    while True:
        item = came_from[moment]
        holder[moment] = item
        if item == start:
            return
        moment = had[item]
