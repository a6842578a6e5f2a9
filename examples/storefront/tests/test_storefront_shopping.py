"""What customers come for."""

import asyncio


async def test_products_are_listed_and_shown(shop):
    products = (await shop.http.get("/products")).json()["products"]
    assert len(products) == 16
    bowl = (await shop.http.get("/products/matcha-bowl")).json()
    assert bowl == {"id": "matcha-bowl", "name": "Matcha bowl 抹茶碗", "price_cents": 3800}
    assert bowl in products
    assert (await shop.http.get("/products/抹茶碗")).status_code == 404


async def test_a_checkout_charges_for_the_cart_and_empties_it(shop):
    await shop.http.post("/cart/mine/items", json={"product": "kettle", "quantity": 2})
    await shop.http.post("/cart/mine/items", json={"product": "cup"})
    assert await shop.metric("storefront_carts") == 1
    order = await shop.http.post("/checkout", json={"cart": "mine"})
    assert order.status_code == 201
    assert order.json()["total_cents"] == 2 * 4_900 + 1_400
    assert (await shop.http.get("/cart/mine")).status_code == 404
    charges = {"provider": "primary", "call": "charge", "outcome": "ok"}
    assert await shop.metric("storefront_dependency_calls_total", **charges) == 1
    assert await shop.metric("storefront_requests_total", route="/checkout", code="201", method="POST") == 1


async def test_two_checkouts_of_one_cart_charge_once(shop):
    await shop.fill_cart()
    answers = await asyncio.gather(*(shop.http.post("/checkout", json={"cart": "mine"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404, 404]
    assert await shop.metric("storefront_dependency_calls_total", call="charge") == 1


async def test_an_empty_cart_cannot_be_checked_out_and_harms_no_health(shop):
    for _ in range(5):
        assert (await shop.http.post("/checkout", json={"cart": "nobody"})).status_code == 404
    assert (await shop.http.get("/health")).status_code == 200


async def test_routes_are_measured_by_template(shop):
    await shop.fill_cart("one")
    await shop.fill_cart("two")
    items = "/cart/{cart}/items"
    assert await shop.metric("storefront_requests_total", route=items, code="201", method="POST") == 2
    assert await shop.metric("storefront_request_seconds_count", route=items, method="POST") == 2


async def test_checkout_counters_are_there_before_the_first_failure(shop):
    text = (await shop.http.get("/metrics")).text
    assert 'storefront_requests_total{code="502",method="POST",route="/checkout"} 0.0' in text


async def test_live_is_live_while_health_is_not(shop):
    await shop.http.post("/admin/faults/failing-dependency")
    await shop.becomes(503)
    assert (await shop.http.get("/health/live")).status_code == 200
