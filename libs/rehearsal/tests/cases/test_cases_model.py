"""What the words of a test mean: shorthands, times, ends."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tocsin_playbook.model import ChannelRef, PersonRef
from tocsin_rehearsal.cases import Case, Expectation
from tocsin_rehearsal.cases.model import Act, Given, HttpRule, World
from tocsin_rehearsal.cases.model.times import WHOLE, shown
from tocsin_schemas import DeadlineKind

S, M = timedelta(seconds=1), timedelta(minutes=1)


def expectation(**said: Any) -> Expectation:
    return Expectation.model_validate({"at": "1s", **said})


def case(**said: Any) -> Case:
    return Case.model_validate({"name": "a", "expect": [{"throughout": True, "incident": "none"}], **said})


@pytest.mark.parametrize(
    ("time", "text"),
    [(0 * S, "0s"), (2.5 * S, "2.5s"), (90 * S, "1m30s"), (60 * S, "1m"), (3900 * S, "1h5m"), (7200 * S, "2h")],
)
def test_times_are_shown_shortly(time: timedelta, text: str) -> None:
    assert shown(time) == text


# --- when ------------------------------------------------------------------------------------------------------------


def test_at_a_time_is_the_second_that_begins_then() -> None:
    assert expectation(incident="none").window(10 * M) == (S, 2 * S)


def test_by_a_time_is_from_the_start_until_then() -> None:
    said = Expectation.model_validate({"by": "5m", "incident": "none"})
    assert (said.mode, said.window(10 * M), said.last_named) == ("by", (0 * S, 5 * M), 5 * M)


def test_between_two_times_is_that() -> None:
    said = Expectation.model_validate({"between": ["5m", "6m"], "incident": "none"})
    assert (said.mode, said.window(10 * M), said.last_named) == ("between", (5 * M, 6 * M), 6 * M)


def test_throughout_without_times_is_the_whole_test() -> None:
    said = Expectation.model_validate({"throughout": True, "incident": "none"})
    assert (said.mode, said.throughout, said.window(10 * M)) == ("throughout", WHOLE, (0 * S, 10 * M))
    assert said.last_named is None


def test_a_test_lasts_a_minute_longer_than_the_last_time_it_names() -> None:
    assert case(expect=[{"by": "5m", "incident": "none"}], at=[{"at": "7m", "do": {"ack": "ada"}}]).ends == 8 * M
    assert case(given={"world": {"slack": {"hang": True, "until": "9m"}}}).ends == 10 * M
    assert case(given={"alerts": [{"labels": {"a": "b"}, "from": "2m"}]}).ends == 3 * M
    assert case(given={"deployments": [{"service": "shop", "at": "4m"}]}).ends == 5 * M


def test_a_test_that_names_no_time_lasts_as_long_as_its_series() -> None:
    assert case(given={"series": {"shop": {"up": "1x9", "down": "0"}}, "interval": "1m"}).ends == 11 * M
    assert case(given={"series": {"shop": {"up": "oops"}}}).ends == M
    assert case().ends == M


def test_a_test_lasts_as_long_as_it_says() -> None:
    assert case(until="4h").ends == timedelta(hours=4)


# --- shorthands -------------------------------------------------------------------------------------------------------


def test_a_word_stands_for_the_mapping_it_begins() -> None:
    said = expectation(
        alerts="CheckoutErrors",
        incident="resolved",
        pages=["ada", "slack:#incidents"],
        actions="clear-cache",
        messages="on it",
        deadlines="acknowledge",
        events="IncidentOpened",
    )
    assert said.alerts is not None
    assert said.alerts[0].name == "CheckoutErrors"
    assert said.incident is not None
    assert said.incident.phase == "resolved"
    assert said.pages is not None
    assert [page.who for page in said.pages] == [
        PersonRef(name="ada"),
        ChannelRef(name="slack", address="#incidents"),
    ]
    assert said.actions is not None
    assert (said.actions[0].step, said.actions[0].outcome) == ("clear-cache", "started")
    assert said.messages is not None
    assert said.messages[0].containing == ("on it",)
    assert said.deadlines is not None
    assert said.deadlines[0].kind is DeadlineKind.ACKNOWLEDGE
    assert said.events is not None
    assert said.events[0].type == "IncidentOpened"


def test_none_means_nothing_of_the_kind() -> None:
    said = expectation(alerts="none", incident="none", pages="none", deadlines=[])
    assert (said.alerts, said.pages, said.deadlines) == ((), (), ())
    assert said.incident is not None
    assert said.incident.count == 0
    assert said.statements == ("alerts", "incident", "pages", "deadlines")


@pytest.mark.parametrize(
    ("written", "verb"),
    [
        ({"ack": "ada"}, "acknowledge"),
        ({"acknowledge": {"by": "ada", "lasting": "1h"}}, "acknowledge"),
        ({"stop_automation": "ada"}, "stop_automation"),
        ({"kill": "escalator"}, "kill"),
        ({"nats": "down"}, "nats"),
        ({"http": {"url": "*", "answers": {}}}, "http"),
        ({"slack": "up"}, "slack"),
        ({"clear": {"alertname": "A"}}, "clear"),
    ],
)
def test_an_act_has_one_verb(written: dict[str, Any], verb: str) -> None:
    assert Act.model_validate(written).verb == verb


def test_what_a_person_asks_for_is_told_from_what_happens() -> None:
    asked = Act.model_validate({"ack": "ada"}).asked
    assert asked is not None
    assert asked.by == "ada"
    assert Act.model_validate({"kill": "notifier"}).asked is None


def test_a_channel_is_up_down_or_in_trouble() -> None:
    world = World.model_validate(
        {"slack": "up", "email": "down", "pager": [{"status": 429, "retry_after": "30s", "times": 2}, {"hang": True}]}
    )
    assert world.channels["slack"] == ()
    assert [trouble.refuse for trouble in world.channels["email"]] == [True]
    assert [(each.status, each.retry_after, each.hang) for each in world.channels["pager"]] == [
        (429, 30 * S, False),
        (None, None, True),
    ]


def test_one_answer_stands_for_a_list_of_it() -> None:
    rule = HttpRule.model_validate({"action": "clear-cache", "answers": {"status": 503, "times": 2}})
    assert [(answer.status, answer.times) for answer in rule.answers] == [(503, 2)]


def test_a_number_is_a_series_of_one_value() -> None:
    assert Given.model_validate({"series": {"shop": {"up": 1, "x": 0.5}}}).feeds[0].values == {"up": "1", "x": "0.5"}


def test_cases_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        case().name = "b"


def test_a_case_survives_being_written_as_data() -> None:
    written = {
        "given": {"series": {"shop": {"up": "1x9"}}, "world": {"slack": "down", "http": {"url": "*", "answers": {}}}},
        "expect": [
            {"between": ["1s", "5s"], "pages": [{"who": "ada", "times": 1}], "only": "pages"},
            {"throughout": True, "incident": "none"},
            {"throughout": ["1s", "2s"], "alerts": "none"},
        ],
    }
    given = case(**written)
    data = given.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert Case.model_validate(data) == given
