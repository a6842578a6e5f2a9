"""Each fault shows in /health and /metrics, is healed by its honest fix, and by no other."""

import pytest

FAULTS = {
    "slow-dependency": ({"seconds": 0.25}, "payments/failover", {"checkouts", "payments"}),
    "failing-dependency": ({"share": 1}, "payments/failover", {"checkouts", "payments"}),
    "memory-leak": ({"kilobytes": 4096}, "restart", {"memory"}),
    "bad-release": ({"share": 1}, "rollback", {"checkouts"}),
}
FIXES = ("cache/clear", "payments/failover", "restart", "rollback")


async def break_shop(shop, fault):
    answer = await shop.http.post(f"/admin/faults/{fault}", json=FAULTS[fault][0])
    assert answer.status_code == 200, answer.text
    assert answer.json()["on"] is True


@pytest.mark.parametrize("fault", FAULTS)
async def test_health_names_what_a_fault_breaks_and_nothing_else(shop, fault):
    async with shop.customers():
        await shop.fails_just(set())
        await break_shop(shop, fault)
        _, _, broken = FAULTS[fault]
        await shop.fails_just(broken)


@pytest.mark.parametrize("fault", FAULTS)
async def test_only_the_honest_fix_heals(shop, fault):
    async with shop.customers():
        await break_shop(shop, fault)
        await shop.becomes(503)
        _, honest, _ = FAULTS[fault]
        for fix in (fix for fix in FIXES if fix != honest):
            assert (await shop.http.post(f"/admin/{fix}")).status_code == 200
            await shop.stays(503, 0.5)
        if fault == "memory-leak":  # a restart heals until as much has leaked again, so the leak is stopped first
            await shop.http.delete(f"/admin/faults/{fault}")
            await shop.stays(503, 0.1)
        assert (await shop.http.post(f"/admin/{honest}")).status_code == 200
        await shop.becomes(200, within=3)


@pytest.mark.parametrize("fault", ["slow-dependency", "failing-dependency", "bad-release"])
async def test_a_fault_switched_off_is_gone(shop, fault):
    async with shop.customers():
        await break_shop(shop, fault)
        await shop.becomes(503)
        answer = await shop.http.delete(f"/admin/faults/{fault}")
        assert answer.json()["on"] is False
        await shop.becomes(200, within=3)


async def test_health_recovers_without_customers(shop):
    await break_shop(shop, "failing-dependency")
    await shop.becomes(503)
    await shop.http.delete("/admin/faults/failing-dependency")
    await shop.becomes(200, within=3)


async def test_a_bad_release_shows_and_heals_without_customers(shop):
    await break_shop(shop, "bad-release")
    await shop.becomes(503)
    await shop.http.post("/admin/restart")
    await shop.stays(503, 0.5)
    await shop.http.post("/admin/rollback")
    await shop.becomes(200, within=3)


async def test_a_failing_provider_shows_as_502_and_refused_calls(shop):
    await break_shop(shop, "failing-dependency")
    assert (await shop.buy()).status_code == 502
    assert await shop.metric("storefront_requests_total", route="/checkout", code="502") == 1
    calls = {"provider": "primary", "call": "charge"}
    assert await shop.metric("storefront_dependency_calls_total", **calls, outcome="refused") == 1
    await shop.http.post("/admin/payments/failover")
    assert (await shop.buy()).status_code == 201
    assert await shop.metric("storefront_payment_provider_active", provider="backup") == 1


async def test_the_failing_share_is_kept_over_a_short_stretch(shop):
    await shop.http.post("/admin/faults/failing-dependency", json={"share": 0.9})
    codes = [(await shop.buy(f"cart{n}")).status_code for n in range(20)]
    assert codes.count(502) in (17, 18, 19)
    assert codes.count(201) == 20 - codes.count(502)


async def test_a_slow_provider_shows_in_the_latency_histogram(shop):
    await break_shop(shop, "slow-dependency")
    assert (await shop.buy()).status_code == 201
    bucket = "storefront_request_seconds_bucket"
    assert await shop.metric(bucket, route="/checkout", le="0.2") == 0
    assert await shop.metric(bucket, route="/checkout", le="+Inf") == 1


async def test_a_provider_slower_than_the_timeout_is_a_504_and_the_cart_is_kept(shop):
    await shop.http.post("/admin/faults/slow-dependency", json={"seconds": 20})
    assert (await shop.buy()).status_code == 504
    assert (await shop.http.get("/cart/mine")).json()["items"] == {"kettle": 2}


async def test_a_leak_takes_real_memory_up_to_its_cap_and_a_restart_gives_it_back(shop, quick):
    memory = "process_resident_memory_bytes"
    before = await shop.metric(memory)
    await shop.http.post("/admin/faults/memory-leak", json={"kilobytes": 16_384})
    for _ in range(10):
        await shop.http.get("/products")
    grown = await shop.metric(memory) - before
    assert 0.9 * quick.leak_cap < grown < 1.5 * quick.leak_cap
    answer = await shop.http.post("/admin/restart")
    assert answer.json()["freed_bytes"] == quick.leak_cap
    assert await shop.metric(memory) - before < 0.3 * quick.leak_cap


async def test_a_bad_release_shows_its_version_and_500s_until_rolled_back(shop):
    good = (await shop.http.get("/health")).json()["version"]
    await break_shop(shop, "bad-release")
    assert (await shop.buy()).status_code == 500
    assert await shop.metric("storefront_build_info", version=good) == 0
    assert (await shop.http.post("/admin/rollback")).json()["version"] == good
    assert (await shop.buy()).status_code == 201
    assert await shop.metric("storefront_build_info", version=good) == 1


async def test_there_is_an_oldest_release(shop):
    assert (await shop.http.post("/admin/rollback")).status_code == 200
    refused = await shop.http.post("/admin/rollback")
    assert refused.status_code == 409
    assert (await shop.http.get("/admin/executions")).json()["by_action"] == {"rollback": 1}


async def test_clearing_the_cache_really_empties_it(shop):
    await shop.http.get("/products")
    await shop.http.get("/products")
    assert await shop.metric("storefront_cache_hits_total") == 1
    assert (await shop.http.post("/admin/cache/clear")).json() == {"cleared_entries": 1}
    assert await shop.metric("storefront_cache_entries") == 0


async def test_a_restart_drops_the_carts(shop):
    await shop.fill_cart()
    assert (await shop.http.post("/admin/restart")).json()["dropped_carts"] == 1
    assert (await shop.http.get("/cart/mine")).status_code == 404


async def test_faults_are_listed_with_their_settings(shop):
    await shop.http.post("/admin/faults/failing-dependency", json={"share": 0.25})
    faults = {fault["name"]: fault for fault in (await shop.http.get("/admin/faults")).json()["faults"]}
    assert list(faults) == list(FAULTS)
    assert {name for name, fault in faults.items() if fault["on"]} == {"failing-dependency"}
    assert faults["failing-dependency"]["settings"] == {"share": 0.25}
