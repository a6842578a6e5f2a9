"""Places where a test may end the process as a power cut would: `TOCSIN_CRASH_AT=remediator.after_claim`.

Unset, as it is outside of tests, this does nothing.
"""

import os
import signal
from typing import Literal

__all__ = ["Point", "crash_point"]

Point = Literal["before_claim", "after_claim", "after_effect", "after_outcome", "after_verification"]


def crash_point(point: Point) -> None:
    """End this process here with SIGKILL, if the environment says so."""
    if os.environ.get("TOCSIN_CRASH_AT") == f"remediator.{point}":
        os.kill(os.getpid(), signal.SIGKILL)
