"""Recorded decisions made again by the escalator's pure core."""

from tocsin_rehearsal.deciding.again import Decided, fold_and_decide

__all__ = ["Decided", "fold_and_decide"]
