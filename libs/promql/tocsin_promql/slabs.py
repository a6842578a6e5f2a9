"""Ring buffers for many series at once, so that a whole selection is read with a few numpy operations.

A `Slab` is a table: one row a series, one ring of `width` samples a row. Series that need more room move
to a slab of twice the width, so memory follows what is kept and never exceeds the widest slab.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

STALE_BITS = 0x7FF0000000000002
"""The NaN that ends a series: never a value (Prometheus's staleness marker)."""

_FIRST_TAIL = 8


class Slab:
    """Rings of `width` samples (a power of two), one row a series. Timestamps in a row strictly ascend."""

    __slots__ = ("_free", "_mask", "_start", "_times", "_values", "size", "width")

    def __init__(self, width: int) -> None:
        assert width & (width - 1) == 0, "a ring's width is a power of two"
        self.width = width
        self._mask = width - 1
        self._times: Ints = np.zeros((0, width), dtype=np.int64)
        self._values: Floats = np.zeros((0, width), dtype=np.float64)
        self._start: Ints = np.zeros(0, dtype=np.int64)
        self.size: Ints = np.zeros(0, dtype=np.int64)
        self._free: list[int] = []

    def add_row(self) -> int:
        """An empty row."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def free_row(self, row: int) -> None:
        """Give a row back; what it held is gone."""
        self.size[row] = 0
        self._start[row] = 0
        self._free.append(row)

    def push(self, rows: Ints, times: Ints, values: Floats) -> None:
        """One sample for each row; rows are distinct. A full ring loses its oldest sample."""
        full = self.size[rows] == self.width
        at = (self._start[rows] + self.size[rows]) & self._mask
        self._times[rows, at] = times
        self._values[rows, at] = values
        self._start[rows] = (self._start[rows] + full) & self._mask
        self.size[rows] += ~full

    def full(self, rows: Ints) -> Ints:
        """Those of the rows whose ring has no room left."""
        return rows[self.size[rows] == self.width]

    def oldest(self, row: int) -> int:
        return int(self._times[row, self._start[row]])

    def last_values(self, rows: Ints) -> Floats:
        """The newest value of each row; rows are not empty."""
        last: Floats = self._values[rows, (self._start[rows] + self.size[rows] - 1) & self._mask]
        return last

    def move_row(self, row: int, wider: Slab) -> int:
        """Copy a full row into a wider slab; the row here is given back."""
        count = int(self.size[row])
        at = (self._start[row] + np.arange(count)) & self._mask
        target = wider.add_row()
        wider._times[target, :count] = self._times[row, at]
        wider._values[target, :count] = self._values[row, at]
        wider.size[target] = count
        self.free_row(row)
        return target

    def latest(self, rows: Ints, after: int, until: int) -> tuple[Ints, Floats, Bools]:
        """The newest sample of each row in (after, until]: its time, its value, and whether there is one."""
        end = self._ends(rows, until)
        at = rows * self.width + ((self._start[rows] + end - 1) & self._mask)
        times: Ints = self._times.reshape(-1).take(at)
        values: Floats = self._values.reshape(-1).take(at)
        there = (end > 0) & (times > after) & (values.view(np.int64) != STALE_BITS)
        return times, values, there

    def tail(self, rows: Ints, after: int, until: int) -> tuple[Ints, Floats, Ints]:
        """The samples of each row in (after, until], as (times, values, count).

        Row r holds `count[r]` samples, pushed to the right: the newest is always in the last column. What
        stands left of them is rubbish. Staleness markers are taken out.
        """
        start = self._start[rows]
        end = self._ends(rows, until)
        widest = int(end.max(initial=0))
        base = rows * self.width
        flat_times = self._times.reshape(-1)
        width = _FIRST_TAIL
        while width < widest:
            before = flat_times.take(base + ((start + end - 1 - width) & self._mask))
            if not ((end > width) & (before > after)).any():
                break
            width *= 2
        width = max(min(width, widest), 1)
        logical = end[:, None] + np.arange(-width, 0)
        at = base[:, None] + ((start[:, None] + logical) & self._mask)
        times: Ints = flat_times.take(at)
        values: Floats = self._values.reshape(-1).take(at)
        inside = (times > after) & (logical >= 0)
        stale = values.view(np.int64) == STALE_BITS
        if stale.any():
            inside &= ~stale
            order = np.argsort(inside, axis=1, kind="stable")
            times = np.take_along_axis(times, order, axis=1)
            values = np.take_along_axis(values, order, axis=1)
        return times, values, inside.sum(axis=1)

    def _ends(self, rows: Ints, until: int) -> Ints:
        """For each row, how many of its samples are not after `until`."""
        size: Ints = self.size[rows]
        start = self._start[rows]
        flat = self._times.reshape(-1)
        base = rows * self.width
        if not (flat.take(base + ((start + size - 1) & self._mask)) > until).any():
            return size
        found: Ints = np.zeros(len(rows), dtype=np.int64)
        step = self.width
        while step:
            probe = found + step
            seen = flat.take(base + ((start + probe - 1) & self._mask))
            found += step * ((probe <= size) & (seen <= until))
            step //= 2
        return found

    def _grow(self) -> None:
        rows = len(self.size)
        more = max(16, rows)
        self._times = np.concatenate([self._times, np.zeros((more, self.width), dtype=np.int64)])
        self._values = np.concatenate([self._values, np.zeros((more, self.width), dtype=np.float64)])
        self._start = np.concatenate([self._start, np.zeros(more, dtype=np.int64)])
        self.size = np.concatenate([self.size, np.zeros(more, dtype=np.int64)])
        self._free.extend(range(rows + more - 1, rows - 1, -1))
