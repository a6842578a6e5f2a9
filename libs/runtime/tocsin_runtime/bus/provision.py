"""Make the streams and consumers of the table exist, and refuse a server that cannot keep our promises."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import structlog
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.errors import BusUnavailableError, PromiseError
from tocsin_runtime.bus.pull import PINNED_GROUP
from tocsin_runtime.topology import STREAMS, ConsumerSpec, StreamSpec, consumers_of

__all__ = ["MINIMUM_VERSION", "assert_promises", "ensure_consumer", "ensure_streams", "provision"]

log = structlog.get_logger(__name__)

MINIMUM_VERSION = (2, 12, 7)
_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014
_MAX_MESSAGE = 1024 * 1024


async def provision(connection: Connection, service: str, *, replicas: int = 1) -> None:
    """Create what is missing of all streams and of this service's consumers.

    Raises PromiseError where something exists with other properties than were promised.
    """
    await ensure_streams(connection, replicas=replicas)
    for spec in consumers_of(service):
        await ensure_consumer(connection, spec)


async def assert_promises(connection: Connection, monitor_url: str | None, *, check_sync: bool = True) -> None:
    """Refuse (PromiseError) a server that is too old, has no JetStream, or acknowledges before it has synced."""
    version = connection.client.connected_server_version
    if (version.major, version.minor, version.patch) < MINIMUM_VERSION:
        raise PromiseError(
            "nats-server version",
            f"{version.major}.{version.minor}.{version.patch}",
            ".".join(map(str, MINIMUM_VERSION)) + " or later",
        )
    if not check_sync:
        log.warning("the server's sync policy is not checked: an acknowledged page may be lost with the power")
        return
    if monitor_url is None:
        raise PromiseError(
            "nats-server sync policy",
            "no monitoring address to ask",
            "TOCSIN_NATS_MONITOR_URL, or TOCSIN_NATS_CHECK_SYNC=false if you know that it syncs always",
        )
    config = await _jetstream_config(monitor_url)
    if not config.get("sync_always", False):
        found = config.get("sync_interval", "the server's default of two minutes")
        raise PromiseError("nats-server sync policy", f"sync_interval {found}", "jetstream { sync_interval: always }")


async def _jetstream_config(monitor_url: str) -> Mapping[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.get(f"{monitor_url.rstrip('/')}/jsz", params={"config": "1"})
            answer.raise_for_status()
            document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: the answer is no JSON
        raise BusUnavailableError(f"asking {monitor_url}/jsz: {error!r}") from error
    config: Mapping[str, Any] = document.get("config") or {}
    return config


# --- streams ----------------------------------------------------------------------------------------------------------


async def ensure_streams(connection: Connection, *, replicas: int = 1) -> None:
    """Create the streams that are missing. An existing one is never changed: what differs is a PromiseError."""
    for spec in STREAMS:
        wanted = stream_config(spec, replicas=replicas)
        answer = await connection.request(f"$JS.API.STREAM.INFO.{spec.name}")
        if _error_code(answer) == _STREAM_NOT_FOUND:
            answer = await connection.request(f"$JS.API.STREAM.CREATE.{spec.name}", json.dumps(wanted).encode())
        if "error" in answer:
            raise BusUnavailableError(f"stream {spec.name}: {answer['error'].get('description')}")
        _assert_stream(spec, wanted, answer["config"])


def stream_config(spec: StreamSpec, *, replicas: int = 1) -> dict[str, Any]:
    """The stream's configuration as the server takes it."""
    config = StreamConfig(
        name=spec.name,
        description=spec.description,
        subjects=list(spec.subjects),
        storage=StorageType.MEMORY if spec.in_memory else StorageType.FILE,
        retention=RetentionPolicy.WORK_QUEUE if spec.work_queue else RetentionPolicy.LIMITS,
        # nats-server refuses `discard: new` on a stream with schedules; without limits nothing is discarded there.
        discard=DiscardPolicy.OLD if spec.schedules else DiscardPolicy.NEW,
        max_age=spec.max_age.total_seconds(),
        max_msg_size=_MAX_MESSAGE,
        num_replicas=1 if spec.in_memory else replicas,
        duplicate_window=min(spec.duplicate_window, spec.max_age or spec.duplicate_window).total_seconds(),
        allow_direct=True,
        deny_delete=spec.append_only,
        deny_purge=spec.append_only,
        allow_atomic=spec.atomic_batches,
        allow_msg_schedules=spec.schedules,
    )
    return config.as_dict()


_PROMISED = (
    "subjects", "storage", "retention", "discard", "max_age", "allow_direct", "allow_atomic", "allow_msg_schedules",
    "deny_delete", "deny_purge",
)  # fmt: skip


def _assert_stream(spec: StreamSpec, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    for name in _PROMISED:
        if (found.get(name) or None) != (wanted.get(name) or None):
            raise PromiseError(f"stream {spec.name}, {name}", repr(found.get(name)), repr(wanted.get(name)))
    for limit in ("max_msgs", "max_bytes"):
        if int(found.get(limit, -1)) > 0:
            log.info("stream is limited: when full it refuses", stream=spec.name, limit=limit, value=found[limit])


# --- consumers --------------------------------------------------------------------------------------------------------


async def ensure_consumer(connection: Connection, spec: ConsumerSpec) -> None:
    """Create the durable consumer if it is missing; raise PromiseError if it exists otherwise.

    One that an earlier version of Tocsin made is changed where that loses nothing: made anew, it would begin at the
    first message of its stream.
    """
    answer = await connection.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
    if _error_code(answer) == _CONSUMER_NOT_FOUND:
        answer = await _put_consumer(connection, spec, "create", consumer_config(spec))
    elif "error" not in answer and _is_of_an_earlier_version(spec, answer["config"]):
        _assert_consumer(dataclasses.replace(spec, pinned=None), {**answer["config"], "priority_policy": "none"})
        log.info("changing a consumer that an earlier version made", consumer=spec.name)
        changed = {name: value for name, value in consumer_config(spec).items() if name in _CHANGED}
        answer = await _put_consumer(connection, spec, "update", {**answer["config"], **changed})
    if "error" in answer:
        raise BusUnavailableError(f"consumer {spec.name}: {answer['error'].get('description')}")
    _assert_consumer(spec, answer["config"])


_CHANGED = ("max_ack_pending", "priority_groups", "priority_policy", "priority_timeout")


async def _put_consumer(
    connection: Connection, spec: ConsumerSpec, action: str, config: Mapping[str, Any]
) -> dict[str, Any]:
    body = {"stream_name": spec.stream, "config": config, "action": action}
    return await connection.request(f"$JS.API.CONSUMER.CREATE.{spec.stream}.{spec.name}", json.dumps(body).encode())


def _is_of_an_earlier_version(spec: ConsumerSpec, found: Mapping[str, Any]) -> bool:
    """Whether it serves all replicas at a time instead of one, or hands out fewer messages."""
    serves_all = spec.pinned is not None and found.get("priority_policy", "none") == "none"
    return serves_all or int(found.get("max_ack_pending", 0)) < _unsettled(spec)


def _unsettled(spec: ConsumerSpec) -> int:
    return max(spec.unsettled, 8 * spec.batch, 8 * spec.workers)


def consumer_config(spec: ConsumerSpec) -> dict[str, Any]:
    """The consumer's configuration as the server takes it."""
    filters = list(spec.filters)
    config = ConsumerConfig(
        durable_name=spec.name,
        description=spec.description,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait.total_seconds(),
        max_deliver=-1,
        max_ack_pending=_unsettled(spec),
        filter_subject=filters[0] if len(filters) == 1 else None,
        filter_subjects=filters if len(filters) > 1 else None,
    )
    pinned = (
        {
            "priority_groups": [PINNED_GROUP],
            "priority_policy": "pinned_client",
            "priority_timeout": int(spec.pinned.total_seconds() * 1e9),
        }
        if spec.pinned is not None
        else {}
    )
    return {**config.as_dict(), "name": spec.name, **pinned}


def _assert_consumer(spec: ConsumerSpec, found: Mapping[str, Any]) -> None:
    place = f"consumer {spec.name}"
    if found.get("ack_policy") != "explicit":
        raise PromiseError(f"{place}, ack_policy", repr(found.get("ack_policy")), "'explicit'")
    if int(found.get("max_deliver", -1)) > 0:
        raise PromiseError(f"{place}, max_deliver", str(found["max_deliver"]), "-1 (a limit drops silently)")
    if (policy := found.get("priority_policy", "none")) != ("none" if spec.pinned is None else "pinned_client"):
        raise PromiseError(f"{place}, priority_policy", repr(policy), "that of the table: delete it, it is made anew")
    if found.get("backoff"):
        raise PromiseError(f"{place}, backoff", str(found["backoff"]), "none")
    waited = timedelta(microseconds=int(found.get("ack_wait", 0)) / 1000)
    if waited < spec.ack_wait:
        raise PromiseError(f"{place}, ack_wait", str(waited), f"{spec.ack_wait} or more")
    filters = tuple(found.get("filter_subjects") or filter(None, [found.get("filter_subject")]))
    if set(filters) != set(spec.filters):
        raise PromiseError(f"{place}, filters", str(filters), str(spec.filters))


def _error_code(answer: Mapping[str, Any]) -> int:
    return int((answer.get("error") or {}).get("err_code", 0))
