"""Who may say what on NATS: one identity a service, one for each access of people; everything else is denied.

The subject is the permission. A service may publish where its name stands, ask about its own consumers, and read
what it needs; none may delete or edit a stream. People send the commands that their access allows
(`tocsin_playbook.access`) and read what came of them. So do the services through which people come over HTTP or
chat: who it is, they are believed; what such a person may ask for, the escalator and the remediator decide. From this
table come the users of the embedded server and the configuration that `tocsin nats-config` prints for a server of your
own.
"""

from collections.abc import Mapping
from typing import Any

from tocsin_playbook.access import ACCESSES, LEAST_ACCESS, includes
from tocsin_playbook.model.oncall import Access
from tocsin_runtime.topology import CONSUMERS, STREAMS
from tocsin_schemas.commands import (
    Acknowledge,
    AcknowledgeAlert,
    ApproveAction,
    Decline,
    Escalate,
    LiftSilence,
    Silence,
)
from tocsin_schemas.subjects import ALERTS, PLAYBOOKS, command_subject

__all__ = ["IDENTITIES", "permissions", "users"]

_PEOPLE_FOLLOW = ("INCIDENTS", "DEADLETTERS", "PLAYBOOKS", "ORDERS")
_FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "detector": ("ALERTS", "PLAYBOOKS", "ORDERS"),
    "escalator": ("INCIDENTS", "PLAYBOOKS", "ORDERS"),
    "remediator": ("PLAYBOOKS", "ORDERS"),
    "notifier": ("PLAYBOOKS", "ORDERS"),
    "recorder": ("INCIDENTS", "DEADLETTERS", "PLAYBOOKS", "ORDERS"),
    "operator": _PEOPLE_FOLLOW,
    "source": (),
    **dict.fromkeys(ACCESSES, _PEOPLE_FOLLOW),
}


def _commands(access: Access) -> tuple[str, ...]:
    return tuple(command_subject(command) for command, least in LEAST_ACCESS.items() if includes(access, least))


_ALL_COMMANDS = _commands("admin")
_PRESSED_COMMANDS = tuple(map(command_subject, (Acknowledge, Decline, Escalate, ApproveAction)))
"""What buttons in messages ask for."""
_ALERTING_COMMANDS = (command_subject(AcknowledgeAlert), command_subject(Silence), command_subject(LiftSilence))
"""What other systems' tools ask for where they send their alerts; nothing that acts on anything."""
_ADMIN_SAYS = ("tocsin.commands.*.*", PLAYBOOKS, ALERTS)
_SAYS: Mapping[str, tuple[str, ...]] = {
    "detector": (ALERTS, *_ALERTING_COMMANDS),
    "escalator": (
        "tocsin.incidents.*.escalator.*",
        "tocsin.orders.escalator.*",
        "tocsin.timers.at.escalator.*",
        "$JS.API.STREAM.PURGE.TIMERS",
    ),
    "remediator": ("tocsin.incidents.*.remediator.*",),
    "notifier": ("tocsin.incidents.*.notifier.*", *_PRESSED_COMMANDS),
    "recorder": ("tocsin.incidents.*.recorder.*", *_ALL_COMMANDS),
    "operator": _ADMIN_SAYS,
    "source": (ALERTS, "tocsin.metrics.*"),
    **{access: _commands(access) for access in ACCESSES},
    "admin": _ADMIN_SAYS,
}

_ADMIN_READS = ("ALERTS", "INCIDENTS", "COMMANDS", "TIMERS", "PLAYBOOKS", "ORDERS", "DEADLETTERS")
_PEOPLE_READ = ("INCIDENTS", "DEADLETTERS")
_READS: Mapping[str, tuple[str, ...]] = {
    "detector": (),
    "escalator": ("INCIDENTS",),
    "remediator": ("INCIDENTS",),
    "notifier": _PEOPLE_READ,
    "recorder": _PEOPLE_READ,
    # To record them. Getting messages takes nothing away, also from a work queue; samples are not recorded.
    "operator": _ADMIN_READS,
    "source": (),
    # What came of a command. Not COMMANDS: the server answers wherever the question says, so whoever could put anything
    # there and get it again could have it written anywhere.
    **dict.fromkeys(ACCESSES, _PEOPLE_READ),
    "admin": _ADMIN_READS,
}
"""Streams whose messages it may get by sequence, subject or time."""

_MAKES_STREAMS = frozenset(_SAYS) - frozenset(ACCESSES) | {"admin"}
"""Who finds the streams missing and may make them, as they are in the table."""

IDENTITIES: tuple[str, ...] = tuple(_SAYS)
"""The five services, the operator (who may do what an admin may), a source of foreign alerts, and people by access."""


def permissions(identity: str) -> dict[str, Any]:
    """What this identity may publish and subscribe to, as nats-server's configuration has it."""
    publish = [*_SAYS[identity]]
    if identity not in ACCESSES:
        publish.append(f"tocsin.deadletters.{identity}")
    for stream in STREAMS:
        publish.append(f"$JS.API.STREAM.INFO.{stream.name}")
        if identity in _MAKES_STREAMS:
            publish.append(f"$JS.API.STREAM.CREATE.{stream.name}")
    for spec in CONSUMERS:
        if spec.service == identity:
            place = f"{spec.stream}.{spec.name}"
            verbs = ("INFO", "CREATE", "MSG.NEXT", *(("UNPIN",) if spec.pinned is not None else ()))
            publish += [f"$JS.API.CONSUMER.{verb}.{place}" for verb in verbs]
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
