"""The ways to break the shop on purpose: a table of faults, each on or off with its settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from storefront.errors import NotFoundError
from storefront.fields import Fields
from storefront.memory import Leak
from storefront.payments import Provider
from storefront.releases import Releases

Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    does: str
    fixed_by: str
    on: Callable[[Fields], None]
    off: Callable[[], None]
    settings: Callable[[], Body | None]
    """The settings it is on with, read from what it broke; None while it is off."""


class Faults:
    def __init__(self, primary: Provider, leak: Leak, releases: Releases) -> None:
        self._faults = {
            "slow-dependency": _slow_dependency(primary),
            "failing-dependency": _failing_dependency(primary),
            "memory-leak": _memory_leak(leak),
            "bad-release": _bad_release(releases),
        }

    def switch_on(self, name: str, fields: Fields) -> Body:
        self._find(name).on(fields)
        return self._body(name)

    def switch_off(self, name: str) -> Body:
        self._find(name).off()
        return self._body(name)

    def body(self) -> Body:
        return {"faults": [self._body(name) for name in self._faults]}

    def _find(self, name: str) -> Fault:
        if name not in self._faults:
            raise NotFoundError("name", f"no such fault; there are {', '.join(self._faults)}")
        return self._faults[name]

    def _body(self, name: str) -> Body:
        fault = self._find(name)
        settings = fault.settings()
        return {
            "name": name,
            "on": settings is not None,
            "settings": settings or {},
            "does": fault.does,
            "fixed_by": fault.fixed_by,
        }


def _slow_dependency(primary: Provider) -> Fault:
    def on(fields: Fields) -> None:
        seconds = fields.number("seconds", 0.001, 30, default=1.5)
        fields.done()
        primary.slowed_by = timedelta(seconds=seconds)

    def off() -> None:
        primary.slowed_by = timedelta()

    def settings() -> Body | None:
        return {"seconds": primary.slowed_by.total_seconds()} if primary.slowed_by else None

    return Fault(
        "the primary payment provider takes this much longer",
        "POST /admin/payments/failover",
        on,
        off,
        settings,
    )


def _failing_dependency(primary: Provider) -> Fault:
    def on(fields: Fields) -> None:
        share = fields.number("share", 0.001, 1, default=0.9)
        fields.done()
        primary.failing_share = share

    def off() -> None:
        primary.failing_share = 0.0

    def settings() -> Body | None:
        return {"share": primary.failing_share} if primary.failing_share else None

    return Fault(
        "the primary payment provider answers this share of requests with 503",
        "POST /admin/payments/failover",
        on,
        off,
        settings,
    )


def _memory_leak(leak: Leak) -> Fault:
    def on(fields: Fields) -> None:
        kilobytes = fields.whole("kilobytes", 1, 65_536, default=256)
        fields.done()
        leak.per_request = kilobytes * 1024

    def off() -> None:
        leak.per_request = 0

    def settings() -> Body | None:
        return {"kilobytes": leak.per_request // 1024, "held_bytes": leak.held} if leak.per_request else None

    return Fault(
        "each customer's request leaves this many kilobytes behind; what has leaked stays when the leak stops",
        "POST /admin/restart (until it has leaked as much again)",
        on,
        off,
        settings,
    )


def _bad_release(releases: Releases) -> Fault:
    def on(fields: Fields) -> None:
        share = fields.number("share", 0.001, 1, default=0.5)
        fields.done()
        releases.deploy_bad(share)

    def off() -> None:
        if releases.is_bad:
            releases.roll_back()

    def settings() -> Body | None:
        return {"share": releases.current.broken_share} if releases.is_bad else None

    return Fault(
        "a release is deployed that answers this share of checkouts with 500",
        "POST /admin/rollback",
        on,
        off,
        settings,
    )
