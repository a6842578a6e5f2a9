"""Which cells of the lifecycle table were asked for: what came to an incident, in which phase."""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager

from tocsin_escalator.core import lifecycle
from tocsin_escalator.core.incident import Phase
from tocsin_escalator.core.lifecycle import Answer, Input

__all__ = ["CELLS", "Cell", "by_input", "watched_cells"]

Cell = tuple[Phase, Input]

CELLS: frozenset[Cell] = frozenset(cell for cell, answer in lifecycle.TABLE.items() if answer is not Answer.NOTHING)
"""Those in which something follows. A command to an incident that does not exist is parked before the table is asked.
"""


class _Watched(dict[Cell, Answer]):
    """The table, noting what it is asked for."""

    def __init__(self, table: Mapping[Cell, Answer]) -> None:
        super().__init__(table)
        self.asked: set[Cell] = set()

    def __getitem__(self, cell: Cell) -> Answer:
        self.asked.add(cell)
        return super().__getitem__(cell)


@contextmanager
def watched_cells() -> Iterator[Set[Cell]]:
    """The cells that are asked for within; the set grows as they are."""
    table = lifecycle.TABLE
    watched = _Watched(table)
    lifecycle.TABLE = watched
    try:
        yield watched.asked
    finally:
        lifecycle.TABLE = table


def by_input(cells: Iterable[Cell]) -> Iterator[str]:
    """Cells in words, one line for each input, in the order of the table."""
    found: dict[Input, list[Phase]] = {}
    for phase, given in cells:
        found.setdefault(given, []).append(phase)
    order = list(Phase)
    for given in Input:
        if given in found:
            phases = sorted(found[given], key=order.index)
            yield f"{given.name.lower()} in {', '.join(phase.value for phase in phases)}"
