"""Everything about the shop that may differ between a demo, a test and a laptop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

Clock = Callable[[], float]
"""Monotonic seconds, for ages and windows; never a date."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 7390
    """0 takes any free port."""
    admin_token: str | None = None
    """Bearer token of the admin endpoints; None leaves them open, as fits a loopback address."""

    database_takes: timedelta = timedelta(milliseconds=20)
    payment_takes: timedelta = timedelta(milliseconds=20)
    payment_timeout: timedelta = timedelta(seconds=2)
    cache_ttl: timedelta = timedelta(seconds=5)

    health_window: timedelta = timedelta(seconds=1.5)
    """How far /health looks back; also how long it takes to recover once all is well."""
    slow_checkout: timedelta = timedelta(seconds=0.5)
    """A checkout slower than this counts as a bad one."""
    rehearse_every: timedelta = timedelta(milliseconds=200)
    """How often the health checks try out a checkout themselves."""
    probe_timeout: timedelta = timedelta(seconds=0.5)
    memory_headroom: int = 128 * MEBIBYTE
    """How much the process may grow after its start before /health complains, in bytes."""
    leak_cap: int = 256 * MEBIBYTE
    """Where the memory-leak fault stops leaking, so that it never takes the machine down; in bytes."""

    clock: Clock = time.monotonic
