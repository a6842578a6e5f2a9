"""Who may say what on NATS: one identity a service, everything that is not allowed is denied.

The subject is the permission. A service may publish where its name stands, ask about its own consumers, and read
what it needs; none may delete or edit a stream. From this table come the users of the embedded server and the
configuration that `tocsin nats-config` prints for a server of your own.
"""

from collections.abc import Mapping
from typing import Any

from tocsin_runtime.topology import CONSUMERS, STREAMS
from tocsin_schemas.subjects import ALERTS, PLAYBOOKS

__all__ = ["IDENTITIES", "permissions", "users"]

_FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "detector": ("ALERTS", "PLAYBOOKS"),
    "escalator": ("INCIDENTS", "PLAYBOOKS"),
    "remediator": ("PLAYBOOKS",),
    "notifier": ("PLAYBOOKS",),
    "recorder": ("INCIDENTS", "DEADLETTERS", "PLAYBOOKS"),
    "operator": ("INCIDENTS", "DEADLETTERS", "PLAYBOOKS"),
    "source": (),
}

_SAYS: Mapping[str, tuple[str, ...]] = {
    "detector": (ALERTS,),
    "escalator": ("tocsin.incidents.*.escalator.*", "tocsin.timers.at.escalator.*", "$JS.API.STREAM.PURGE.TIMERS"),
    "remediator": ("tocsin.incidents.*.remediator.*",),
    "notifier": ("tocsin.incidents.*.notifier.*",),
    "recorder": ("tocsin.incidents.*.recorder.*",),
    "operator": ("tocsin.commands.*.*", PLAYBOOKS, ALERTS),
    "source": (ALERTS, "tocsin.metrics.*"),
}

_READS: Mapping[str, tuple[str, ...]] = {
    "detector": (),
    "escalator": ("INCIDENTS",),
    "remediator": ("INCIDENTS",),
    "notifier": ("INCIDENTS",),
    "recorder": ("INCIDENTS",),
    # To record them. Getting messages takes nothing away, also from a work queue; samples are not recorded.
    "operator": ("ALERTS", "INCIDENTS", "COMMANDS", "TIMERS", "PLAYBOOKS", "DEADLETTERS"),
    "source": (),
}
"""Streams whose messages it may get by sequence, subject or time."""

IDENTITIES: tuple[str, ...] = tuple(_SAYS)
"""The five services, the operator (command line, console) and a source of foreign alerts."""


def permissions(identity: str) -> dict[str, Any]:
    """What this identity may publish and subscribe to, as nats-server's configuration has it."""
    publish = [*_SAYS[identity], f"tocsin.deadletters.{identity}"]
    for stream in STREAMS:
        publish += [f"$JS.API.STREAM.INFO.{stream.name}", f"$JS.API.STREAM.CREATE.{stream.name}"]
    for spec in CONSUMERS:
        if spec.service == identity:
            place = f"{spec.stream}.{spec.name}"
            publish += [f"$JS.API.CONSUMER.{verb}.{place}" for verb in ("INFO", "CREATE", "MSG.NEXT")]
            publish.append(f"$JS.ACK.{place}.>")
    for followed in _FOLLOWED[identity]:
        publish += [f"$JS.API.CONSUMER.{verb}.{followed}.*" for verb in ("INFO", "CREATE", "MSG.NEXT")]
    publish += [f"$JS.API.DIRECT.GET.{read}" for read in _READS[identity]]
    # Who follows a stream may make consumers of any name there, but must not touch those that others share work with.
    foreign = [
        f"$JS.API.CONSUMER.{verb}.{spec.stream}.{spec.name}"
        for spec in CONSUMERS
        if spec.service != identity and spec.stream in _FOLLOWED[identity]
        for verb in ("CREATE", "MSG.NEXT")
    ]
    return {
        "publish": {"allow": list(dict.fromkeys(publish)), **({"deny": foreign} if foreign else {})},
        "subscribe": {"allow": [f"_INBOX_{identity}.>"]},
    }


def users(passwords: Mapping[str, str]) -> list[dict[str, Any]]:
    """The `authorization.users` of nats-server for these identities and passwords."""
    return [
        {"user": identity, "password": password, "permissions": permissions(identity)}
        for identity, password in passwords.items()
    ]
