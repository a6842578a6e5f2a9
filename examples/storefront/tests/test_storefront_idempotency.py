"""An admin action with an Idempotency-Key runs once; the shop can say what ran, and how often."""

import asyncio

KEY = {"Idempotency-Key": "incident-7/step-1"}


async def test_the_same_key_runs_once_and_gets_the_first_answer_again(shop):
    await shop.fill_cart()
    first = await shop.http.post("/admin/restart", headers=KEY)
    await shop.fill_cart()
    second = await shop.http.post("/admin/restart", headers=KEY)
    assert first.json()["dropped_carts"] == 1
    assert second.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await shop.http.get("/cart/mine")).status_code == 200
    executions = (await shop.http.get("/admin/executions")).json()
    assert executions["by_action"] == {"restart": 1}
    assert executions["by_key"] == {"incident-7/step-1": 1}
    assert executions["executions"][0]["replays"] == 1


async def test_the_same_key_at_once_runs_once(shop):
    answers = await asyncio.gather(*(shop.http.post("/admin/payments/failover", headers=KEY) for _ in range(10)))
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 9
    assert (await shop.http.get("/admin/executions")).json()["by_action"] == {"payments/failover": 1}


async def test_calls_without_a_key_each_run_and_each_count(shop):
    for _ in range(3):
        await shop.http.post("/admin/cache/clear")
    executions = (await shop.http.get("/admin/executions")).json()
    assert executions["by_action"] == {"cache/clear": 3}
    assert executions["by_key"] == {}
    assert [execution["key"] for execution in executions["executions"]] == [None] * 3
    assert await shop.metric("storefront_admin_actions_total", action="cache/clear") == 3


async def test_a_key_can_be_looked_up(shop):
    unknown = await shop.http.get("/admin/executions/incident-7/step-1")
    assert unknown.status_code == 404
    await shop.http.post("/admin/cache/clear", headers=KEY)
    found = (await shop.http.get("/admin/executions/incident-7/step-1")).json()
    assert found["executed"] is True
    assert found["action"] == "cache/clear"
    assert found["at"].endswith("+00:00")


async def test_a_key_cannot_stand_for_two_requests(shop):
    await shop.http.post("/admin/cache/clear", headers=KEY)
    other = await shop.http.post("/admin/restart", headers=KEY)
    assert other.status_code == 422
    assert other.json()["error"]["field"] == "Idempotency-Key"
    assert (await shop.http.get("/admin/executions")).json()["by_action"] == {"cache/clear": 1}


async def test_an_action_that_was_refused_has_not_run_and_its_key_is_free(shop):
    refused = await shop.http.post("/admin/faults/bad-release", json={"share": 7}, headers=KEY)
    assert refused.status_code == 422
    accepted = await shop.http.post("/admin/faults/bad-release", json={"share": 0.7}, headers=KEY)
    assert accepted.status_code == 200
    again = await shop.http.post("/admin/faults/bad-release", json={"share": 0.7}, headers=KEY)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await shop.http.get("/admin/executions")).json()["by_action"] == {"faults/bad-release:on": 1}


async def test_a_key_must_be_readable(shop):
    for key in (b"", b"two words", b"x" * 201, "schlüssel".encode()):
        answer = await shop.http.post("/admin/restart", headers={b"Idempotency-Key": key})
        assert answer.status_code == 422, key
        assert answer.json()["error"]["field"] == "Idempotency-Key"
    assert (await shop.http.get("/admin/executions")).json()["executions"] == []
