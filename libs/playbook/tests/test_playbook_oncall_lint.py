# ruff: noqa: E501 - tables of cases, one a line
"""What the linter says about schedules and about how people are reached. In these texts ‸ marks the place."""

from datetime import UTC, datetime

import pytest

from tocsin_playbook import lint

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
HOLE = "a layer without restrictions, or layers that leave no hole"
BASE = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}]
communicate:
  channels: [{name: slack, slack: {token: {env: T}}}, {name: term, console: {}}]
escalate:
  - severities: [P0, P1]
    levels: [{after: 0s, notify: ["person:ada"]}]
oncall:
  people:
    - name: ada
      contacts: [{channel: slack, address: "#a"}, {channel: term, address: ada}]
"""


def said(marked: str, now: datetime | None = NOW) -> list[str]:
    """What the linter says without the place, which must be where the mark is."""
    problems = lint(marked.replace("‸", ""), "p.yaml", now=now)
    lines = marked.split("\n")
    places = [(n, line.index("‸") + 1) for n, line in enumerate(lines, start=1) if "‸" in line]
    assert [(problem.line, problem.column) for problem in problems] == places
    return [str(problem).split(": ", 1)[1] for problem in problems]


def scheduled(layers: str, more: str = "") -> str:
    return f"{BASE}  schedules:\n    - name: ‸primary\n      time_zone: Europe/Zurich\n      layers: [{layers}]\n{more}"


def ruled(rules: str) -> str:
    return f"{BASE}      rules: [{rules}]\n"


# Holes.


@pytest.mark.parametrize(
    ("layers", "hole"),
    [
        ("{people: [ada], starts: 2026-03-09}", "from now until Mon 2026-03-09 00:00+01:00"),
        ("{people: [ada], starts: 2026-01-01, until: 2026-04-06}", "from Mon 2026-04-06 00:00+02:00 on"),
        ("{people: [ada], starts: 2026-01-01, restrictions: [{from: '09:00', to: '17:00'}]}",
         "from Wed 2026-03-04 17:00+01:00 until Thu 2026-03-05 09:00+01:00"),
        ("{people: [ada], starts: 2026-01-01, until: 2026-03-28}, {people: [ada], starts: 2026-03-30}",
         "from Sat 2026-03-28 00:00+01:00 until Mon 2026-03-30 00:00+02:00"),
    ],
)  # fmt: skip
def test_the_first_hole_is_told_by_the_clock_of_the_schedule(layers: str, hole: str) -> None:
    assert said(scheduled(layers)) == [f"warning: nobody is on call {hole}; expected {HOLE}"]


def test_an_override_fills_a_hole_until_it_ends() -> None:
    override = "      overrides: [{person: ada, from: 2026-03-01T00:00:00Z, until: 2026-03-08T06:00:00Z}]\n"
    marked = scheduled("{people: [ada], starts: 2026-03-09}", override)
    hole = "from Sun 2026-03-08 07:00+01:00 until Mon 2026-03-09 00:00+01:00"
    assert said(marked) == [f"warning: nobody is on call {hole}; expected {HOLE}"]


def test_a_holiday_that_nobody_covers_is_a_hole() -> None:
    hours = "restrictions: [{days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday], holidays: never}]"
    marked = "business_hours: {holidays: [2026-04-03]}\n" + scheduled(f"{{people: [ada], starts: 2026-01-01, {hours}}}")
    hole = "from Fri 2026-04-03 00:00+02:00 until Sat 2026-04-04 00:00+02:00"
    assert said(marked) == [f"warning: nobody is on call {hole}; expected {HOLE}"]


@pytest.mark.parametrize(
    "layers",
    [
        "{people: [ada], starts: 2026-01-01}",
        "{people: [ada], starts: 2026-01-01, until: 2026-06-03}",  # after the 90 days that are looked at
        "{people: [ada], starts: 2026-01-01, until: 2026-03-29}, {people: [ada], starts: 2026-03-29}",
        "{people: [ada], starts: 2026-01-01, restrictions: [{from: '02:30', to: '21:00'}, {from: '21:00', to: '02:30'}]}",
    ],
)
def test_a_schedule_without_a_hole_is_clean(layers: str) -> None:
    assert said(scheduled(layers).replace("‸", "")) == []


def test_without_a_moment_holes_are_not_looked_for() -> None:
    assert said(scheduled("{people: [ada], starts: 2026-03-09}").replace("‸", ""), now=None) == []


@pytest.mark.parametrize("holidays", ["never", "only"])
def test_hours_that_ask_for_holidays_need_some(holidays: str) -> None:
    layers = "{people: [ada], starts: 2026-01-01}, {people: [ada], starts: 2026-01-01, restrictions: [{holidays: ‸%s}]}"
    marked = scheduled(layers % holidays).replace("name: ‸", "name: ")
    assert said(marked) == ["warning: there are no holidays; expected days in `business_hours.holidays`"]


# Notification rules.


def test_rules_in_order_for_contacts_that_exist_are_clean() -> None:
    assert (
        said(ruled("{contact: slack}, {contact: term, after: 2m, severities: [P0]}, {contact: slack, after: 5m}")) == []
    )


def test_a_rule_names_a_contact_of_its_person() -> None:
    assert said(ruled("{contact: slack}, {contact: ‸phone, after: 2m}")) == [
        "ada has no contact 'phone'; expected one of slack, term"
    ]


def test_a_contact_is_named_by_its_own_name_where_it_has_one() -> None:
    own = ruled("{contact: desk}, {contact: ‸term, after: 2m}").replace(
        "{channel: term,", "{name: desk, channel: term,"
    )
    assert said(own) == ["ada has no contact 'term'; expected one of slack, desk"]


def test_a_rule_cannot_mean_one_of_two_contacts() -> None:
    twice = ruled("{contact: ‸slack}").replace("{channel: term,", "{channel: slack,")
    assert said(twice) == ["ada has 2 contacts called 'slack'; expected a `name` for each"]


def test_rules_are_in_order_of_time() -> None:
    assert said(ruled("{contact: slack}, {contact: term, after: 5m}, {contact: slack, after: ‸2m}")) == [
        "warning: this comes before the rule above it (5m); expected rules in order of `after`"
    ]


def test_a_page_that_tells_its_person_nothing_at_first_is_told() -> None:
    assert said(ruled("{contact: slack, after: ‸0s, severities: [P0]}, {contact: term, after: 2m}")) == [
        "warning: a page at P1 tells ada nothing for 2m; expected a first rule with `after: 0s`"
    ]


def test_the_severities_of_a_rule_exist() -> None:
    assert said(ruled("{contact: slack}, {contact: term, after: 1m, severities: [‸P9]}")) == [
        "there is no severity 'P9'; expected one of P0, P1"
    ]
