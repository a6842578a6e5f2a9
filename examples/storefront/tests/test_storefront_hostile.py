"""Strangers get a 4xx that names the field at fault; nothing they send is a 500, and nothing half happens."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from storefront.errors import ShopError
from storefront.fields import read_fields

BAD_ITEMS = [
    (b'{"product": "unobtainium"}', 404, "product"),
    (b'{"product": "kettle", "quantity": -1}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": 0}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": 100}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": 1.5}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": true}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": "1"}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": null}', 422, "quantity"),
    (b'{"product": "kettle", "quantity": ' + b"9" * 5000 + b"}", 400, "body"),
    (b'{"product": "kettle", "quantity": NaN}', 400, "body"),
    (b'{"product": ["kettle"]}', 422, "product"),
    ('{"product": "抹茶碗"}'.encode(), 422, "product"),
    (b'{"product": "\\ud800"}', 422, "product"),
    (b'{"product": "kettle\\n"}', 422, "product"),
    (b"{}", 422, "product"),
    (b"", 422, "product"),
    (b'{"product": "kettle", "price_cents": 1}', 422, "'price_cents'"),
    (b'{"product": "kettle", "\\ud800": 1}', 422, "'\\ud800'"),
    (b"[]", 422, "body"),
    (b"not json", 400, "body"),
    (b"\xff\xfe\xff", 400, "body"),
    (b"[" * 30_000, 400, "body"),
]


async def test_a_bad_item_is_refused_by_name_and_the_cart_stays_empty(shop):
    for body, status, field in BAD_ITEMS:
        answer = await shop.http.post("/cart/mine/items", content=body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, field), body[:80]
    assert (await shop.http.get("/cart/mine")).status_code == 404


async def test_a_cart_has_room_for_so_many_of_one_product(shop):
    await shop.http.post("/cart/mine/items", json={"product": "cup", "quantity": 99})
    one_more = await shop.http.post("/cart/mine/items", json={"product": "cup"})
    assert one_more.status_code == 422
    assert (await shop.http.get("/cart/mine")).json()["items"] == {"cup": 99}


async def test_a_cart_has_a_plain_name(shop):
    for cart in ("käse", "a" * 65, "a b", "%00", "..%2F..", "%FF"):
        answer = await shop.http.post(f"/cart/{cart}/items", json={"product": "cup"})
        assert answer.status_code in (404, 422), cart
        assert (await shop.http.post("/checkout", json={"cart": cart})).status_code == 422, cart
    assert await shop.metric("storefront_carts") == 0


async def test_a_huge_body_is_refused_and_runs_nothing(shop):
    huge = b'{"cart": "' + b"x" * 100_000 + b'"}'

    async def in_pieces():
        for start in range(0, len(huge), 10_000):
            yield huge[start : start + 10_000]

    for path in ("/checkout", "/cart/mine/items", "/admin/restart"):
        for content in (huge, in_pieces()):
            assert (await shop.http.post(path, content=content)).status_code == 413, path
    assert (await shop.http.get("/admin/executions")).json()["executions"] == []


async def test_unknown_paths_and_methods_are_counted_without_their_names(shop):
    assert (await shop.http.get("/wp-login.php")).status_code == 404
    assert (await shop.http.request("BREW", "/checkout")).status_code == 405
    assert await shop.metric("storefront_requests_total", route="unmatched", code="404") == 1
    assert await shop.metric("storefront_requests_total", route="/checkout", code="405", method="other") == 1
    text = (await shop.http.get("/metrics")).text
    assert "wp-login" not in text
    assert "BREW" not in text


BAD_FAULTS = [
    ("failing-dependency", {"share": 0}, "share"),
    ("failing-dependency", {"share": 1.01}, "share"),
    ("failing-dependency", {"p": 0.5}, "'p'"),
    ("slow-dependency", {"seconds": -1}, "seconds"),
    ("slow-dependency", {"seconds": 1e999}, "body"),
    ("memory-leak", {"kilobytes": 0.5}, "kilobytes"),
    ("memory-leak", {"kilobytes": 10**9}, "kilobytes"),
    ("bad-release", {"share": "all"}, "share"),
    ("earthquake", {}, "name"),
]


async def test_a_bad_fault_is_refused_and_breaks_nothing(shop):
    for fault, settings, field in BAD_FAULTS:
        answer = await shop.http.post(f"/admin/faults/{fault}", content=json.dumps(settings))
        assert answer.status_code in (400, 404, 422), (fault, settings)
        assert answer.json()["error"]["field"] == field, (fault, settings)
    assert not any(fault["on"] for fault in (await shop.http.get("/admin/faults")).json()["faults"])


async def test_admin_endpoints_want_the_token_when_there_is_one(quick, opened):
    async with opened(replace(quick, admin_token="geheim-ß")) as shop:
        paths = [("GET", "/admin/faults"), ("GET", "/admin/executions"), ("GET", "/admin/executions/k")]
        paths += [("POST", "/admin/restart"), ("POST", "/admin/faults/memory-leak"), ("DELETE", "/admin/faults/x")]
        for given_token in (b"", b"Bearer", b"Bearer wrong", b"Basic Z2VoZWlt", "Bearer geheim-\xdf\xdf".encode()):
            for method, path in paths:
                refused = await shop.http.request(method, path, headers={b"Authorization": given_token})
                assert refused.status_code == 401, (given_token, path)
                assert refused.headers["WWW-Authenticate"] == "Bearer"
        token = {b"Authorization": "Bearer geheim-ß".encode()}
        listed = await shop.http.get("/admin/executions", headers=token)
        assert listed.json()["executions"] == []
        assert (await shop.http.post("/admin/restart", headers=token)).status_code == 200
        assert (await shop.http.get("/products")).status_code == 200


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_fields_or_a_shop_error(body):
    refusal = None
    try:
        read_fields(body).done()
    except ShopError as error:
        refusal = error
    if refusal is not None:
        assert refusal.status in (400, 422)
        json.dumps(refusal.body(), ensure_ascii=False).encode()
