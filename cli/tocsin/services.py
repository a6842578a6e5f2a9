"""The five services by name: their settings and their wiring, imported only when asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tocsin_runtime import Host, ServiceSettings

__all__ = ["SERVICES", "build_of", "settings_of"]

SERVICES = ("detector", "escalator", "remediator", "notifier", "recorder")


def settings_of(service: str) -> type[ServiceSettings]:
    """The settings model of this service."""
    module = import_module(f"tocsin_{service}.settings")
    model: type[ServiceSettings] = getattr(module, f"{service.capitalize()}Settings")
    return model


def build_of(service: str) -> Callable[[Host[Any]], None]:
    """The function that wires this service."""
    build: Callable[[Host[Any]], None] = import_module(f"tocsin_{service}.app").build
    return build
