"""A share of things, spread evenly: the same on every run, and right over every short stretch."""

GOLDEN = 0.6180339887498949  # steps of the golden ratio fill [0, 1) most evenly (a low-discrepancy sequence)


class Spread:
    """`next()` walks through [0, 1) so that of any few steps in a row the expected share lies below any mark."""

    def __init__(self) -> None:
        self._steps = 0

    def next(self) -> float:
        self._steps += 1
        return self._steps * GOLDEN % 1.0
