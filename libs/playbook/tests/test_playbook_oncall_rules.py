# ruff: noqa: E501 - tables of cases, one a line
"""When a page uses which of a person's contacts."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tocsin_playbook import NotificationStep, steps_for
from tocsin_playbook.model import Person

MINUTE = timedelta(minutes=1)


def ada(*rules: dict[str, Any], contacts: tuple[str, ...] = ("slack", "mail", "phone")) -> Person:
    ways = [{"channel": channel, "address": channel} for channel in contacts]
    return Person.model_validate({"name": "ada", "contacts": ways, "rules": rules})


def told(person: Person, severity: str = "P0") -> list[tuple[timedelta, str, list[str]]]:
    return [
        (step.after, step.contact.called, [other.called for other in step.otherwise])
        for step in steps_for(person, severity)
    ]


def test_without_rules_the_contacts_are_tried_in_order_as_one_fails() -> None:
    assert told(ada()) == [(timedelta(), "slack", ["mail", "phone"])]


def test_a_person_without_contacts_has_no_steps() -> None:
    assert steps_for(ada(contacts=()), "P0") == ()
    assert steps_for(ada({"contact": "slack"}, contacts=()), "P0") == ()


def test_rules_are_steps_in_order_of_time_that_fall_back_on_those_after_them() -> None:
    person = ada({"contact": "mail"}, {"contact": "phone", "after": "5m"}, {"contact": "slack", "after": "2m"})
    assert told(person) == [
        (timedelta(), "mail", ["slack", "phone"]),
        (2 * MINUTE, "slack", ["phone"]),
        (5 * MINUTE, "phone", []),
    ]


def test_contacts_that_rules_leave_out_are_the_last_to_fall_back_on() -> None:
    assert told(ada({"contact": "phone"})) == [(timedelta(), "phone", ["slack", "mail"])]
    assert told(ada({"contact": "mail"}, {"contact": "phone", "after": "2m"})) == [
        (timedelta(), "mail", ["phone", "slack"]),
        (2 * MINUTE, "phone", ["slack"]),
    ]


def test_a_rule_for_other_severities_does_not_count() -> None:
    person = ada({"contact": "slack"}, {"contact": "phone", "after": "1m", "severities": ["P0"]})
    assert [name for _, name, _ in told(person, "P0")] == ["slack", "phone"]
    assert told(person, "P1") == [(timedelta(), "slack", ["mail", "phone"])]


def test_a_severity_that_no_rule_names_is_paged_as_without_rules() -> None:
    assert told(ada({"contact": "phone", "severities": ["P0"]}), "P3") == told(ada())


def test_a_rule_for_a_contact_that_is_not_there_is_passed_over() -> None:
    assert told(ada({"contact": "pager"})) == told(ada())


def test_one_contact_may_be_used_again_later() -> None:
    person = ada({"contact": "slack"}, {"contact": "slack", "after": "2m"}, contacts=("slack",))
    assert told(person) == [(timedelta(), "slack", []), (2 * MINUTE, "slack", [])]


def test_a_rule_means_a_contact_by_its_name() -> None:
    ways = [{"channel": "mail", "address": "work"}, {"name": "home", "channel": "mail", "address": "home"}]
    person = Person.model_validate({"name": "ada", "contacts": ways, "rules": [{"contact": "home"}]})
    assert [(step.contact.address, len(step.otherwise)) for step in steps_for(person, "P0")] == [("home", 1)]


rules = st.builds(
    lambda contact, after, severities: {"contact": contact, "after": f"{after}m", "severities": severities},
    st.sampled_from(("slack", "mail", "phone", "pager")), st.integers(0, 9), st.lists(st.sampled_from(("P0", "P1")), max_size=2),
)  # fmt: skip


@given(st.lists(rules, max_size=6), st.sampled_from(("P0", "P1", "P2")))
def test_whoever_has_contacts_is_reached_by_all_of_them_if_the_first_fail(
    chosen: list[dict[str, Any]], severity: str
) -> None:
    person = ada(*chosen)
    steps: tuple[NotificationStep, ...] = steps_for(person, severity)
    assert {steps[0].contact, *steps[0].otherwise} == set(person.contacts)
    assert [step.after for step in steps] == sorted(step.after for step in steps)
    assert all(step.contact not in step.otherwise for step in steps)
