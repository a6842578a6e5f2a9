"""Standing orders over a playbook: what they change, what they leave alone, and in which order they count."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin_playbook import load, on_call
from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders, under_orders
from tocsin_schemas import Actor, Event
from tocsin_schemas.events import OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = Actor.person("ada", "cli")
PLAYBOOK = load(
    """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1}]
silences: [{name: upgrade, match: ['service="db"'], because: an upgrade, until: 2027-01-01T00:00:00Z}]
oncall:
  people: [{name: ada}, {name: bob}, {name: eve}]
  schedules:
    - name: primary
      layers: [{people: [ada], starts: 2026-01-01}]
      overrides: [{person: eve, from: 2026-03-02T00:00:00Z, until: 2026-03-03T00:00:00Z}]
    - {name: secondary, layers: [{people: [bob], starts: 2026-01-01}]}
""",
    source="test",
).playbook


def silence(name: str = "s1", *match: str, ends_at: datetime = NOON + HOUR, because: str = "a move") -> SilenceSet:
    return SilenceSet(
        silence=name, match=match or ('service="web"',), begins_at=NOON, ends_at=ends_at, because=because, by=ADA
    )


def override(name: str = "o1", person: str = "bob", schedule: str = "primary") -> OverrideSet:
    return OverrideSet(override=name, schedule=schedule, person=person, begins_at=NOON, ends_at=NOON + HOUR, by=ADA)


def after(*events: Event) -> StandingOrders:
    orders = NO_ORDERS
    for event in events:
        orders = orders.after(event)
    return orders


def who(orders: StandingOrders, schedule: str = "primary", at: datetime = NOON) -> tuple[str, ...]:
    return on_call(under_orders(PLAYBOOK, orders).schedule(schedule), at, holidays=())


# --- what stands -----------------------------------------------------------------------------------------------------


def test_what_is_set_stands_once_until_it_is_lifted() -> None:
    orders = after(silence(), override(), silence(because="again"))
    assert orders == StandingOrders((silence(),), (override(),))
    assert orders.after(SilenceLifted(silence="s1", by=ADA)) == StandingOrders((), (override(),))
    assert orders.after(OverrideLifted(override="o1", by=ADA)) == StandingOrders((silence(),), ())
    assert orders.after(OverrideSet.model_validate({**override().model_dump(), "person": "eve"})) is orders
    assert orders.after(OrderRejected(command="Silence", reason="no", by=ADA)) is orders


def test_what_is_over_goes_and_the_rest_is_the_same_object() -> None:
    orders = after(silence(), silence("s2", ends_at=NOON + 2 * HOUR), override())
    assert orders.at(NOON + HOUR - timedelta(seconds=1)) is orders
    assert orders.at(NOON + HOUR) == StandingOrders((silence("s2", ends_at=NOON + 2 * HOUR),), ())


def test_no_orders_are_nothing() -> None:
    assert not NO_ORDERS
    assert after(silence())
    assert after(override())


# --- over a playbook -------------------------------------------------------------------------------------------------


def test_a_silence_is_one_of_the_playbooks_while_it_lasts() -> None:
    silences = under_orders(PLAYBOOK, after(silence())).silences
    assert [each.name for each in silences] == ["upgrade", "s1"]
    web = {"service": "web"}
    own = silences[-1]
    assert (own.because, own.ends(NOON)) == ("a move", NOON + HOUR)
    assert [own.silences(web, at) for at in (NOON - HOUR, NOON, NOON + HOUR)] == [False, True, False]
    assert not own.silences({"service": "db"}, NOON)


def test_a_silence_that_cannot_be_read_mutes_nothing() -> None:
    assert under_orders(PLAYBOOK, after(silence("s1", "web"))) is PLAYBOOK


def test_a_reason_that_a_playbook_could_not_hold_does_no_harm() -> None:
    assert under_orders(PLAYBOOK, after(silence(because="x" * 1000))).silences[-1].because == "x" * 1000


def test_an_override_wins_over_those_of_the_playbook_and_over_earlier_ones() -> None:
    assert who(NO_ORDERS) == ("eve",)
    assert who(after(override())) == ("bob",)
    assert who(after(override(), override("o2", "ada"))) == ("ada",)
    assert who(after(override()), at=NOON + HOUR) == ("eve",)
    assert who(after(override()), "secondary") == ("bob",)


def test_an_override_of_somebody_or_something_that_the_playbook_does_not_have_changes_nothing() -> None:
    for order in (override(person="mallory"), override(schedule="tertiary")):
        assert under_orders(PLAYBOOK, after(order)) is PLAYBOOK


def test_nothing_else_of_the_playbook_changes() -> None:
    changed = under_orders(PLAYBOOK, after(silence(), override()))
    assert changed.oncall.people is PLAYBOOK.oncall.people
    assert changed.schedule("secondary") is PLAYBOOK.schedule("secondary")
    assert changed.model_copy(update={"silences": PLAYBOOK.silences, "oncall": PLAYBOOK.oncall}) == PLAYBOOK
    assert under_orders(PLAYBOOK, NO_ORDERS) is PLAYBOOK


EVENTS = st.lists(
    st.one_of(
        st.sampled_from("abc").map(silence),
        st.sampled_from("abc").map(override),
        st.sampled_from("abc").map(lambda name: SilenceLifted(silence=name, by=ADA)),
        st.sampled_from("abc").map(lambda name: OverrideLifted(override=name, by=ADA)),
    ),
    max_size=12,
)


@given(EVENTS)
def test_whatever_is_ordered_an_id_stands_once_and_what_was_lifted_last_does_not(events: list[Event]) -> None:
    orders = after(*events)
    for field, kind in (("silence", (SilenceSet, SilenceLifted)), ("override", (OverrideSet, OverrideLifted))):
        standing = [getattr(each, field) for each in getattr(orders, f"{field}s")]
        assert len(standing) == len(set(standing))
        last = {getattr(each, field): isinstance(each, kind[0]) for each in events if isinstance(each, kind)}
        assert set(standing) == {name for name, is_set in last.items() if is_set}
