"""How much memory the process holds, and a leak that really holds some."""

import mmap
import resource
import sys
from pathlib import Path

from storefront.settings import MEBIBYTE

SEGMENT = 4 * MEBIBYTE
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident memory now; where there is no /proc, the highest so far."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Leak:
    """Memory that each request leaves behind while `per_request` is above 0, up to a cap.

    The memory is mapped, not allocated, so that `free` gives it back to the system at once and for certain.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._segments: list[mmap.mmap] = []
        self._room = 0
        self.held = 0
        self.per_request = 0

    def drip(self) -> None:
        wanted = min(self.per_request, self._cap - self.held)
        while wanted > 0:
            if self._room == 0:
                self._segments.append(mmap.mmap(-1, SEGMENT))
                self._room = SEGMENT
            written = self._segments[-1].write(b"\xff" * min(wanted, self._room))
            self._room -= written
            self.held += written
            wanted -= written

    def free(self) -> int:
        """Gives everything back; returns how many bytes that were."""
        freed = self.held
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._room = self.held = 0
        return freed
