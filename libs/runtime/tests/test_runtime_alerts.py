"""Alerts sent on NATS by programs of one's own."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from tocsin_runtime import Connection
from tocsin_runtime.alerts import end, fire, renew
from tocsin_schemas import decode
from tocsin_schemas.events import AlertFired, AlertResolved

LABELS = {"alertname": "QueueStuck", "service": "checkout"}
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def stored(connection: Connection) -> list[AlertFired | AlertResolved]:
    jetstream = connection.client.jetstream()
    count = (await jetstream.stream_info("ALERTS")).state.messages
    raw = [await jetstream.get_msg("ALERTS", place) for place in range(1, count + 1)]
    return [decode(each.headers, each.data or b"").data for each in raw]  # type: ignore[misc]  # alerts, by the stream


async def test_an_alert_is_on_disk_when_fire_returns(connection: Connection) -> None:
    alert = await fire(connection, LABELS, severity="page", summary="stuck", annotations={"runbook": "r"}, since=SINCE)
    assert await stored(connection) == [alert]
    assert (alert.rule, alert.severity, alert.summary, alert.starts_at) == ("QueueStuck", "page", "stuck", SINCE)
    assert alert.source == connection.name
    assert alert.expires_at is not None
    left = alert.expires_at - connection.clock.now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


async def test_renewals_and_the_end_belong_to_the_same_firing(connection: Connection) -> None:
    alert = await fire(connection, LABELS)
    renewed = await renew(connection, alert, lasting=timedelta(hours=1))
    again = await fire(connection, LABELS, since=alert.starts_at, lasting=timedelta(hours=2))
    ended = await end(connection, alert)
    assert await stored(connection) == [alert, renewed, again, ended]
    assert {each.episode for each in (alert, renewed, again, ended)} == {alert.episode}
    assert {each.fingerprint for each in (alert, renewed, again, ended)} == {alert.fingerprint}
    later = await fire(connection, LABELS)
    assert later.fingerprint == alert.fingerprint
    assert later.episode != alert.episode


async def test_what_is_ended_twice_ends_once(connection: Connection) -> None:
    alert = await fire(connection, LABELS)
    await end(connection, alert)
    await end(connection, alert)
    assert [type(each) for each in await stored(connection)] == [AlertFired, AlertResolved]


@pytest.mark.parametrize(
    ("labels", "more", "error"),
    [
        ({"service": "checkout"}, {}, ValueError),
        ({"alertname": "a\x00b"}, {}, ValueError),
        (LABELS, {"severity": ""}, ValidationError),
        (LABELS, {"since": datetime(2026, 3, 1)}, ValueError),  # noqa: DTZ001  # a naive moment is what is refused
    ],
)
async def test_what_the_contract_does_not_allow_is_refused_and_nothing_is_sent(
    connection: Connection, labels: dict[str, str], more: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await fire(connection, labels, **more)  # type: ignore[arg-type]  # what is wrong is the test
    assert await stored(connection) == []
