"""Ids follow from causes alone, differ where their causes do, and stay what they are in old logs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemas_builders import LABELS

from tocsin_schemas import EnvelopeError, Labels, decode, ids
from tocsin_schemas.ids import (
    alert_episode,
    derive_id,
    event_id,
    fingerprint,
    group_key_digest,
    incident_id,
    span_id,
    trace_id,
)

PART = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8) | st.integers(0, 99).map(str)


@given(st.lists(PART, min_size=1, max_size=4), st.lists(PART, min_size=1, max_size=4))
def test_ids_are_equal_exactly_if_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (derive_id(*one) == derive_id(*other)) == (one == other)


def test_parts_do_not_run_into_each_other() -> None:
    assert derive_id("a", "b1") != derive_id("ab", "1")
    assert event_id("c", "inc", "T", 11) != event_id("c", "inc1", "T", 1)
    assert incident_id("group", 11) != incident_id("group1", 1)
    assert group_key_digest([("a", "1,b")], "p") != group_key_digest([("a", "1"), ("b", "")], "p")
    assert group_key_digest([("a", "b")], "p") != group_key_digest([("ab", "")], "p") != group_key_digest([], "pab")
    assert fingerprint(Labels(a="bc")) != fingerprint(Labels(ab="c"))


def test_what_separates_the_parts_cannot_come_in_from_outside() -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "a%1Fb", "ce-type": "x", "ce-source": "x", "ce-time": "x"}
    with pytest.raises(EnvelopeError, match=r"ce-id.*U\+001F"):
        decode({**headers, "ce-time": "2026-03-01T12:00:00Z"}, b"{}")
    with pytest.raises(ValueError, match=r"U\+001F"):
        Labels(a="1\x1fb")


def test_ids_in_old_logs_are_ids_of_today() -> None:
    """Changing any of these would make every stored event look new."""
    assert derive_id("event", "cause", 1) == "a24ac574-3e52-551b-98dc-447f69a35faf"
    assert incident_id("group", 0) == "j65as6zwvkgl"
    assert group_key_digest([("service", "checkout")], "storefront") == "b658aaa5a0fa37e2"
    assert alert_episode("0" * 16, "2026-03-01T12:00:00Z") == "a906eca9-550c-5677-b7c4-0e3c70e4e43e"
    assert trace_id("abc") == "bbc4de5752f954538e1b23dae4098ae8"


@pytest.mark.parametrize(
    ("labels", "printed"),
    [
        ({"alertname": "HighLatency"}, "73dbeed5635ea4e4"),
        (
            {"alertname": "Disk", "instance": "db-1:9100", "mount": "/var/lib", "severity": "P1"},
            "b3c3ca5314599dd9",
        ),
        ({"alertname": "Umlaut", "city": "Zürich", "mood": "🚀"}, "a433640718fec6ac"),
        ({"alertname": "Lines", "text": "a\nb"}, "70819f4808256045"),
        ({}, "cbf29ce484222325"),
    ],
)
def test_a_fingerprint_is_the_one_that_alertmanager_prints(labels: dict[str, str], printed: str) -> None:
    """As answered by /api/v2/alerts of Alertmanager 0.25; the empty set is the offset of FNV-1a."""
    assert fingerprint(Labels(labels)) == printed


@given(LABELS)
def test_a_fingerprint_is_fnv_1a_over_names_and_values(labels: Labels) -> None:
    """Counted a second time, in another way: the published prime and offset of 64 bits."""
    text = b"".join(name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in sorted(labels.items()))
    digest = 14695981039346656037
    for byte in text:
        digest = (digest ^ byte) * 1099511628211 % 2**64
    assert fingerprint(labels) == digest.to_bytes(8, "big").hex()


@given(PART, st.integers(0, 1000))
def test_the_shapes_of_ids(text: str, number: int) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", derive_id(text, number))
    assert re.fullmatch(r"[a-z2-7]{12}", incident_id(text, number))
    assert re.fullmatch(r"[0-9a-f]{16}", group_key_digest([("a", text)], text))
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id(text))
    assert re.fullmatch(r"[0-9a-f]{16}", span_id(derive_id(text)))


def test_a_span_is_never_the_forbidden_one_of_zeros() -> None:
    assert span_id("00000000-0000-0000-8000-000000000001") != "0" * 16
    with pytest.raises(ValueError, match="badly formed"):
        span_id("no uuid")


def test_an_episode_is_one_firing_of_one_alert() -> None:
    one = alert_episode("0" * 16, "2026-03-01T12:00:00Z")
    assert one == alert_episode("0" * 16, "2026-03-01T12:00:00Z")
    assert one not in {alert_episode("0" * 16, "2026-03-01T12:00:01Z"), alert_episode("1" * 16, "2026-03-01T12:00:00Z")}


def test_everything_public_is_tested_here() -> None:
    assert set(ids.__all__) <= set(globals())
