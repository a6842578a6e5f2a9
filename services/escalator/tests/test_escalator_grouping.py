"""Which alerts are one incident, and which playbook they belong to."""

from escalator_playbooks import STOREFRONT
from escalator_world import fired, rulebook
from hypothesis import given
from hypothesis import strategies as st

from tocsin_escalator.core.grouping import UnknownPlaybook, group_of, playbook_of, title_of
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired

SHOP = PlaybookRef(name="shop", revision="a" * 12)
SHOP_OLD = PlaybookRef(name="shop", revision="b" * 12)
BANK = PlaybookRef(name="bank", revision="c" * 12)
PUBLISHED = {"bank": BANK, "shop": SHOP}


def grouped_by(*names: str) -> Rulebook:
    return rulebook(f"""
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: shop}}
severities: [{{name: P0}}]
group: {{by: [{", ".join(names)}]}}
""")


def alert(ref: PlaybookRef | None = None, *, rule: str = "Down", **labels: str) -> AlertFired:
    return fired(rule).model_copy(update={"playbook": ref, "labels": Labels(labels)})


def test_an_alert_belongs_to_the_revision_it_names() -> None:
    assert playbook_of(alert(SHOP_OLD), PUBLISHED, is_known=True) == SHOP_OLD


def test_of_a_revision_that_cannot_be_had_the_one_in_force_is_taken() -> None:
    assert playbook_of(alert(SHOP_OLD), PUBLISHED, is_known=False) == SHOP


def test_a_foreign_alert_belongs_to_the_playbook_its_label_names_else_to_the_first() -> None:
    assert playbook_of(alert(None, playbook="shop"), PUBLISHED, is_known=False) == SHOP
    assert playbook_of(alert(None, playbook="nobody's"), PUBLISHED, is_known=False) == BANK
    assert playbook_of(alert(None), PUBLISHED, is_known=False) == BANK


def test_a_playbook_that_nobody_has_published_is_said_to_be_unknown() -> None:
    named = PlaybookRef(name="new", revision="d" * 12)
    assert playbook_of(alert(named), PUBLISHED, is_known=False) == UnknownPlaybook("new", BANK)
    assert playbook_of(alert(named), {}, is_known=False) is None


def test_alerts_with_the_same_values_of_the_grouping_labels_are_one_group() -> None:
    book = grouped_by("service", "zone")
    one = group_of(alert(service="cart", zone="a", pod="1"), book)
    assert one == group_of(alert(rule="Slow", service="cart", zone="a", pod="2"), book)
    assert one != group_of(alert(service="cart", zone="b"), book)
    assert one.labels == Labels(service="cart", zone="a")


def test_a_missing_label_is_an_empty_one() -> None:
    book = grouped_by("service", "zone")
    assert group_of(alert(service="cart"), book) == group_of(alert(service="cart", zone=""), book)


def test_an_alert_without_any_grouping_label_is_grouped_by_its_name() -> None:
    book = grouped_by("service")
    assert group_of(alert(rule="DiskFull", host="a"), book) == group_of(alert(rule="DiskFull", host="b"), book)
    assert group_of(alert(rule="DiskFull"), book) != group_of(alert(rule="DiskSlow"), book)


def test_the_name_is_a_label_also_where_the_source_left_it_out() -> None:
    book = grouped_by("alertname")
    assert group_of(alert(rule="Down"), book).labels == Labels(alertname="Down")
    assert group_of(alert(rule="Down"), book) == group_of(alert(rule="Down", alertname="Down"), book)


def test_the_same_labels_in_two_playbooks_are_two_groups() -> None:
    assert group_of(alert(service="checkout"), grouped_by("service")).key != group_of(fired(), STOREFRONT).key


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xy\x21,=", max_size=3)), max_size=3))
def test_no_values_run_into_each_other(pairs: list[tuple[str, str]]) -> None:
    book = grouped_by("a", "b", "c")
    labels = dict(pairs)
    shifted = {**labels, "a": labels.get("a", "") + "!"}
    assert group_of(alert(**labels), book).key != group_of(alert(**shifted), book).key


def test_an_incident_is_called_after_its_first_alert_and_what_tells_its_group_apart() -> None:
    book = grouped_by("alertname", "service")
    down = alert(rule="Down", service="cart")
    assert title_of(down, group_of(down, book)) == "Down (cart)"
    assert title_of(down, group_of(down, grouped_by("nothing"))) == "Down"
