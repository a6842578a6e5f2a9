"""The shell that all services share: bus, decisions, timers, clock, telemetry, settings, health.

A service's `app.py` is given a `Host` to wire itself with; `run` is the process around it.
"""

from tocsin_runtime.bus.connection import Address, Connection
from tocsin_runtime.bus.consume import NotYetError, RefusedError
from tocsin_runtime.bus.delivery import Delivery
from tocsin_runtime.bus.errors import (
    AlreadyInLogError,
    BusError,
    BusUnavailableError,
    LostRaceError,
    PromiseError,
)
from tocsin_runtime.clock import Clock, SystemClock
from tocsin_runtime.decide import Decided, Decider, Fold, Known, Work
from tocsin_runtime.service import Build, Host, run, serve
from tocsin_runtime.settings import ServiceSettings, SettingsError, load_settings

__all__ = [
    "Address", "AlreadyInLogError", "Build", "BusError", "BusUnavailableError", "Clock", "Connection", "Decided",
    "Decider", "Delivery", "Fold", "Host", "Known", "LostRaceError", "NotYetError", "PromiseError", "RefusedError",
    "ServiceSettings", "SettingsError", "SystemClock", "Work", "load_settings", "run", "serve",
]  # fmt: skip
