"""Each service's own wiring, with modelled outsides in the places that it leaves for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tocsin_detector.adapters.aside import at_once
from tocsin_rehearsal.loop import Life
from tocsin_rehearsal.outside.leases import SharedLeases
from tocsin_rehearsal.outside.metrics import Metrics, ModelFetch
from tocsin_rehearsal.outside.receivers import Inbox, ModelMailer, ModelPoster, ModelTerminal
from tocsin_rehearsal.outside.web import ModelTarget, Web
from tocsin_rehearsal.replicas import SERVICES
from tocsin_rehearsal.time import VirtualClock

__all__ = ["Outside", "wired"]


@dataclass(frozen=True, slots=True)
class Outside:
    """All that services reach, but the broker."""

    web: Web
    inbox: Inbox
    metrics: Metrics
    leases: SharedLeases


def wired(service: str, outside: Outside, life: Life, clock: VirtualClock) -> Callable[[Any], None]:
    """The service's `build`."""
    build = SERVICES[service][1]
    match service:
        case "detector":
            return partial(build, fetch=ModelFetch(outside.metrics), aside=at_once)
        case "remediator":
            return partial(build, target=ModelTarget(outside.web, life), leases=outside.leases)
        case "notifier":
            return partial(
                build,
                http=ModelPoster(outside.inbox),
                mail=ModelMailer(outside.inbox),
                terminal=ModelTerminal(outside.inbox),
            )
        case _:
            return build
