"""The wired detector against a real nats-server: on disk before 200, told once whatever restarts."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from detector_system import System

from tocsin_detector.core.source_down import RULE
from tocsin_schemas.events import AlertFired, AlertResolved

ALERT = {"labels": {"alertname": "Down", "severity": "P1"}}


def down(host: int) -> dict[str, object]:
    return {"labels": {"alertname": "Down", "host": str(host)}}


# --- the Alertmanager API ---------------------------------------------------------------------------------------------


async def test_an_alert_that_is_posted_is_in_the_stream_and_ends_with_its_lease(system: System) -> None:
    assert (await system.post(ALERT)).status_code == 200
    await system.until_story("AlertFired Down")
    [envelope] = system.log
    assert isinstance(envelope.data, AlertFired)
    assert (envelope.source, envelope.data.severity) == ("tocsin/detector", "P1")
    assert (await system.post({**ALERT, "endsAt": "2026-01-01T00:00:00Z"})).status_code == 200
    await system.until_story("AlertFired Down", "AlertResolved Down")


async def test_a_lease_that_nobody_renews_expires(system: System) -> None:
    ends_at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await system.post({**ALERT, "endsAt": ends_at})
    await system.until_story("AlertFired Down", "AlertResolved Down")
    resolved = system.log[1].data
    assert isinstance(resolved, AlertResolved)
    assert resolved.reason == "expired"


async def test_what_was_answered_with_200_survives_the_death_of_the_server(system: System) -> None:
    assert (await system.post(*(down(number) for number in range(50)))).status_code == 200
    system.server.kill()
    await asyncio.to_thread(system.server.start)
    await system.until(lambda: len(system.log) >= 50)
    assert len({envelope.id for envelope in system.log}) == 50


async def test_without_the_server_it_is_503_and_the_retries_lose_and_double_nothing(system: System) -> None:
    system.server.kill()
    answer = await system.post(down(0))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "nats" in await system.ready()
    await asyncio.to_thread(system.server.start)
    async with asyncio.timeout(20):
        while (await system.post(*(down(number) for number in range(20)))).status_code == 503:
            await asyncio.sleep(0.05)
    await system.until(lambda: len(system.log) >= 20)
    assert (await system.post(*(down(number) for number in range(20)))).status_code == 200
    await system.stays(*["AlertFired Down"] * 20)


async def test_ten_thousand_alerts_in_one_request_are_stored_and_known_after_a_restart(system: System) -> None:
    answer = await system.post(*(down(number) for number in range(10_000)))
    assert answer.status_code == 200
    await system.until(lambda: len(system.log) >= 10_000, within=30)
    assert len({envelope.id for envelope in system.log}) == 10_000
    await system.stop(system.host)
    host = await system.start()
    assert (await system.post(down(0), down(9_999))).status_code == 200
    shown = await system.http.get(f"{host.ops.url}/api/v2/alerts", params={"filter": 'host=~"99.*"'})
    assert len(shown.json()) == 111
    assert len(system.log) == 10_000


async def test_replicas_that_are_given_the_same_alerts_at_once_tell_them_once(system: System) -> None:
    other = await system.start()
    for number in range(10):
        answers = await asyncio.gather(*(system.post(down(number), host=host) for host in (system.host, other)))
        assert [answer.status_code for answer in answers] == [200, 200]
    await system.until(lambda: len(system.log) >= 10)
    await system.stays(*["AlertFired Down"] * 10, seconds=0.3)
    other_sees = (await system.http.get(f"{other.ops.url}/api/v2/alerts")).json()
    assert len(other_sees) == 10


async def test_a_sender_that_goes_away_in_the_middle_leaves_the_detector_well(system: System) -> None:
    url = httpx.URL(system.host.ops.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[{"
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await system.post(ALERT)).status_code == 200


# --- rules ------------------------------------------------------------------------------------------------------------


async def test_a_rule_fires_and_resolves(system: System) -> None:
    await system.publish()
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    fired = system.log[0].data
    assert isinstance(fired, AlertFired)
    assert (fired.summary, fired.value, fired.severity) == ("11 errors", 11, "P1")
    system.app.page = "errors 1\n"
    await system.until_story("AlertFired Errors", "AlertResolved Errors")


async def test_a_restart_while_a_rule_fires_tells_nothing_twice_and_it_resolves_later(system: System) -> None:
    await system.publish()
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    await system.stop(system.host)
    await system.start()
    await system.stays("AlertFired Errors")
    system.app.page = "errors 1\n"
    await system.until_story("AlertFired Errors", "AlertResolved Errors")


async def test_what_ends_while_no_detector_runs_is_resolved_by_the_next_one(system: System) -> None:
    await system.publish()
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    await system.stop(system.host)
    system.app.page = "errors 1\n"
    await system.start()
    await system.until_story("AlertFired Errors", "AlertResolved Errors")


async def test_two_replicas_tell_each_firing_once(system: System) -> None:
    await system.start()
    await system.publish()
    told = []
    for _ in range(5):
        for page, line in (("errors 11\n", "AlertFired Errors"), ("errors 1\n", "AlertResolved Errors")):
            system.app.page = page
            told.append(line)
            await system.until_story(*told)
            await asyncio.sleep(0.25)  # both have scraped it
    await system.stays(*told, seconds=0.3)
    assert len({envelope.data.episode for envelope in system.log if isinstance(envelope.data, AlertFired)}) == 5


async def test_a_source_that_dies_is_told_after_its_patience_and_nothing_resolves_meanwhile(system: System) -> None:
    await system.publish()
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    system.app.page = None
    await system.until_story("AlertFired Errors", f"AlertFired {RULE}")
    assert (system.log[1].time - system.log[0].time).total_seconds() >= 0.5
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors", f"AlertFired {RULE}", f"AlertResolved {RULE}")
    await system.stays("AlertFired Errors", f"AlertFired {RULE}", f"AlertResolved {RULE}", seconds=0.3)


async def test_a_new_revision_is_watched_without_a_restart(system: System) -> None:
    await system.publish()
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    await system.publish("errors", "{name: Renamed, expr: errors, ladder: [{severity: P2, above: 5}]}")
    await system.until_story("AlertFired Errors", "AlertFired Renamed")
    await system.publish("errors * 0")
    await system.until(lambda: len(system.log) >= 4)
    assert sorted(system.story[2:]) == ["AlertResolved Errors", "AlertResolved Renamed"]


async def test_a_revision_that_is_not_understood_is_visible_and_the_one_before_is_watched_on(system: System) -> None:
    await system.publish()
    odd = "{name: Odd, expr: 'errors atan2 errors', ladder: [{severity: P1, above: 5}]}"
    await system.publish("errors", odd)
    async with asyncio.timeout(10):
        while not (problems := await system.ready()):
            await asyncio.sleep(0.05)
    assert problems["playbooks"].startswith("shop is not understood: Odd: ")
    system.app.page = "errors 11\n"
    await system.until_story("AlertFired Errors")
    await system.publish("errors + 0")
    async with asyncio.timeout(10):
        while await system.ready():
            await asyncio.sleep(0.05)


async def test_what_fires_while_the_server_is_away_is_told_when_it_is_back(system: System) -> None:
    await system.publish()
    await asyncio.sleep(0.3)
    system.server.kill()
    await asyncio.sleep(0.2)
    system.app.page = "errors 11\n"
    await asyncio.sleep(0.5)
    system.app.page = "errors 1\n"
    await asyncio.sleep(0.5)
    await asyncio.to_thread(system.server.start)
    await system.until_story("AlertFired Errors", "AlertResolved Errors")
