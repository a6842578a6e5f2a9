"""Everything that exists in NATS is as the table says, and a server that cannot keep the promises is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from runtime_builders import connected
from structlog.testing import capture_logs

from tocsin_runtime import BusUnavailableError, Connection, PromiseError
from tocsin_runtime.bus import provision as module
from tocsin_runtime.bus.provision import (
    assert_promises,
    consumer_config,
    ensure_consumer,
    ensure_streams,
    provision,
    stream_config,
)
from tocsin_runtime.topology import CONSUMERS, STREAMS, ConsumerSpec, StreamSpec, consumers_of
from tocsin_testkit.nats import NatsServer

STREAM = {spec.name: spec for spec in STREAMS}
ONE = next(spec for spec in CONSUMERS if spec.name == "escalator-alerts")
TWO_FILTERS = next(spec for spec in CONSUMERS if len(spec.filters) > 1)
HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("provision")) as running:
        yield running


@pytest.fixture
async def fresh(server: NatsServer) -> AsyncIterator[Connection]:
    """Connected to a server on which nothing has been made."""
    made = await connected(server)
    yield made
    for spec in STREAMS:
        await made.request(f"$JS.API.STREAM.DELETE.{spec.name}")
    await made.close()


async def stream_on(connection: Connection, spec: StreamSpec) -> dict[str, Any]:
    info: dict[str, Any] = (await connection.request(f"$JS.API.STREAM.INFO.{spec.name}"))["config"]
    return info


async def consumer_on(connection: Connection, spec: ConsumerSpec) -> dict[str, Any]:
    info = await connection.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
    config: dict[str, Any] = info["config"]
    return config


async def make_stream(connection: Connection, spec: StreamSpec, **other: object) -> None:
    wanted = {key: value for key, value in {**stream_config(spec), **other}.items() if value is not None}
    answer = await connection.request(f"$JS.API.STREAM.CREATE.{spec.name}", json.dumps(wanted).encode())
    assert "error" not in answer, answer


async def make_consumer(connection: Connection, spec: ConsumerSpec, **other: object) -> None:
    config = {key: value for key, value in {**consumer_config(spec), **other}.items() if value is not None}
    body = json.dumps({"stream_name": spec.stream, "config": config}).encode()
    answer = await connection.request(f"$JS.API.CONSUMER.CREATE.{spec.stream}.{spec.name}", body)
    assert "error" not in answer, answer


# --- what is made -----------------------------------------------------------------------------------------------------


async def test_on_a_fresh_server_everything_is_made_as_the_table_says(fresh: Connection) -> None:
    for service in sorted({spec.service for spec in CONSUMERS}):
        await provision(fresh, service)
    for stream in STREAMS:
        config = await stream_on(fresh, stream)
        assert config["subjects"] == list(stream.subjects)
        assert config["storage"] == ("memory" if stream.in_memory else "file")
        assert config["retention"] == ("workqueue" if stream.work_queue else "limits")
        assert config["max_age"] == stream.max_age.total_seconds() * 1e9
        assert config["discard"] == ("old" if stream.schedules else "new")
        assert config.get("allow_atomic", False) == stream.atomic_batches
        assert config.get("allow_msg_schedules", False) == stream.schedules
        assert config["deny_delete"] == config["deny_purge"] == stream.append_only
        assert config["allow_direct"]
        assert (config["max_msgs"], config["max_bytes"]) == (-1, -1)
    for consumer in CONSUMERS:
        config = await consumer_on(fresh, consumer)
        assert config["durable_name"] == consumer.name
        assert (config["ack_policy"], config["deliver_policy"], config["max_deliver"]) == ("explicit", "all", -1)
        assert config["ack_wait"] == consumer.ack_wait.total_seconds() * 1e9
        assert "backoff" not in config
        assert tuple(config.get("filter_subjects") or [config["filter_subject"]]) == consumer.filters


async def test_a_service_makes_its_own_consumers_only(fresh: Connection) -> None:
    await provision(fresh, "notifier")
    assert {spec.name for spec in consumers_of("notifier")} == {"notifier-incidents"}
    names = (await fresh.request("$JS.API.CONSUMER.NAMES.INCIDENTS"))["consumers"]
    assert names == ["notifier-incidents"]
    assert (await fresh.request("$JS.API.CONSUMER.NAMES.ALERTS"))["consumers"] in (None, [])


async def test_a_second_run_changes_nothing(fresh: Connection) -> None:
    async def everything() -> list[object]:
        streams = [await fresh.request(f"$JS.API.STREAM.INFO.{spec.name}") for spec in STREAMS]
        consumers = [
            await fresh.request(f"$JS.API.CONSUMER.INFO.{c.stream}.{c.name}") for c in consumers_of("escalator")
        ]
        return [(made["created"], made["config"]) for made in (*streams, *consumers)]

    await provision(fresh, "escalator")
    before = await everything()
    await provision(fresh, "escalator")
    assert await everything() == before


async def test_services_that_start_at_the_same_time_do_not_hinder_each_other(fresh: Connection) -> None:
    await asyncio.gather(
        *(provision(fresh, service) for service in ("escalator", "escalator", "notifier", "remediator"))
    )
    assert (await stream_on(fresh, STREAM["INCIDENTS"]))["allow_atomic"]


# --- what exists otherwise --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("INCIDENTS", "max_age", HOUR),
        ("INCIDENTS", "allow_atomic", False),
        ("INCIDENTS", "deny_delete", False),
        ("INCIDENTS", "deny_purge", False),
        ("INCIDENTS", "discard", "old"),
        ("INCIDENTS", "storage", "memory"),
        ("INCIDENTS", "allow_direct", False),
        ("INCIDENTS", "subjects", ["tocsin.incidents.>"]),
        ("ALERTS", "max_age", HOUR),
        ("ALERTS", "allow_atomic", False),
        ("COMMANDS", "retention", "limits"),
        ("TIMERS", "allow_msg_schedules", False),
        ("DEADLETTERS", "max_age", HOUR),
    ],
)
async def test_a_stream_that_is_not_as_promised_is_refused_by_name(
    fresh: Connection, name: str, field: str, value: object
) -> None:
    await make_stream(fresh, STREAM[name], **{field: value})
    before = await stream_on(fresh, STREAM[name])
    with pytest.raises(PromiseError) as refused:
        await ensure_streams(fresh)
    assert refused.value.what == f"stream {name}, {field}"
    assert refused.value.found != refused.value.needed
    assert await stream_on(fresh, STREAM[name]) == before


async def test_a_stream_with_a_limit_is_let_through_with_a_word(fresh: Connection) -> None:
    """It refuses when it is full (`discard: new`), it does not forget."""
    await make_stream(fresh, STREAM["INCIDENTS"], max_bytes=10**9)
    with capture_logs() as logs:
        await ensure_streams(fresh)
    assert [entry["limit"] for entry in logs if entry.get("stream") == "INCIDENTS"] == ["max_bytes"]


@pytest.mark.parametrize(
    ("spec", "other", "named"),
    [
        (ONE, {"max_deliver": 5}, "max_deliver"),
        (ONE, {"max_deliver": 5, "backoff": [10**9, 2 * 10**9]}, "max_deliver"),
        (ONE, {"backoff": [10**9, 2 * 10**9]}, "backoff"),
        (ONE, {"ack_wait": 10**9}, "ack_wait"),
        (ONE, {"filter_subject": "tocsin.alerts.7"}, "filters"),
        (ONE, {"filter_subject": None}, "filters"),
        (ONE, {"ack_policy": "all"}, "ack_policy"),
        (TWO_FILTERS, {"filter_subjects": [TWO_FILTERS.filters[0]]}, "filters"),
    ],
)
async def test_a_consumer_that_would_lose_messages_is_refused_by_name(
    fresh: Connection, spec: ConsumerSpec, other: dict[str, object], named: str
) -> None:
    await ensure_streams(fresh)
    await make_consumer(fresh, spec, **other)
    with pytest.raises(PromiseError) as refused:
        await ensure_consumer(fresh, spec)
    assert refused.value.what == f"consumer {spec.name}, {named}"


async def test_a_consumer_that_waits_longer_or_names_its_filters_in_another_order_is_good(fresh: Connection) -> None:
    await ensure_streams(fresh)
    await make_consumer(fresh, TWO_FILTERS, ack_wait=HOUR, filter_subjects=[*reversed(TWO_FILTERS.filters)])
    await ensure_consumer(fresh, TWO_FILTERS)


async def test_a_consumer_of_no_stream_is_said_to_be_unavailable(fresh: Connection) -> None:
    with pytest.raises(BusUnavailableError, match="consumer nobody"):
        await ensure_consumer(fresh, replace(ONE, name="nobody", ack_wait=timedelta(seconds=1)))


async def test_a_stream_that_cannot_be_made_is_said_to_be_unavailable(fresh: Connection) -> None:
    with pytest.raises(BusUnavailableError, match="stream "):
        await ensure_streams(fresh, replicas=3)  # there is one server


# --- the server itself ------------------------------------------------------------------------------------------------


async def test_a_server_that_syncs_every_write_is_good(fresh: Connection, server: NatsServer) -> None:
    await assert_promises(fresh, server.monitor_url)
    await assert_promises(fresh, server.monitor_url + "/")


async def test_a_server_that_acknowledges_before_it_syncs_is_refused(server: NatsServer, tmp_path: Any) -> None:
    with NatsServer(tmp_path, sync_always=False) as careless:
        connection = await connected(careless)
        with pytest.raises(PromiseError) as refused:
            await assert_promises(connection, careless.monitor_url)
        assert "sync_interval: always" in refused.value.needed
        await assert_promises(connection, careless.monitor_url, check_sync=False)
        await connection.close()


async def test_without_an_address_to_ask_the_refusal_says_what_to_set(fresh: Connection) -> None:
    with pytest.raises(PromiseError, match=r"TOCSIN_NATS_MONITOR_URL.*TOCSIN_NATS_CHECK_SYNC=false"):
        await assert_promises(fresh, None)


async def test_not_checking_is_warned_of(fresh: Connection) -> None:
    with capture_logs() as logs:
        await assert_promises(fresh, None, check_sync=False)
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1", "nonsense", "", "file:///etc/passwd"])
async def test_a_monitor_that_cannot_be_asked_is_unavailable(fresh: Connection, url: str) -> None:
    with pytest.raises(BusUnavailableError, match="asking "):
        await assert_promises(fresh, url)


async def test_a_monitor_that_answers_something_else_is_unavailable(fresh: Connection, server: NatsServer) -> None:
    with pytest.raises(BusUnavailableError):
        await assert_promises(fresh, f"{server.monitor_url}/nothing")


async def test_a_server_that_is_too_old_is_refused(
    fresh: Connection, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MINIMUM_VERSION", (99, 1, 2))
    with pytest.raises(PromiseError, match=r"nats-server version: found 2\.\d+\.\d+; needed 99\.1\.2 or later"):
        await assert_promises(fresh, server.monitor_url)
