"""Every event, command and signal: who owns it, what it refuses, and that old ones stay readable for ever."""

import json
import math
import re
from typing import Any

import pytest
from pydantic import ValidationError
from schemas_builders import GOOD, Json, Place, example, leaves, with_value

from tocsin_schemas import (
    ALERT_EVENTS,
    COMMANDS,
    EVENTS,
    INCIDENT_EVENTS,
    ORDER_EVENTS,
    PAYLOADS,
    SIGNALS,
    EnvelopeError,
    Payload,
    decode,
)
from tocsin_schemas import commands as commands_module
from tocsin_schemas import events as events_module
from tocsin_schemas import signals as signals_module
from tocsin_schemas.payload import Command, Event

SERVICES = {"detector", "escalator", "remediator", "notifier", "recorder"}
STATES = {"DeadlineSet", "SilenceSet", "OverrideSet", "IncidentMonitoring", "ActionOutcomeUnknown"}
"""Facts whose last word is no regular participle."""

FREE = {("tocsin.PlaybookPublished.v1", "text"), ("tocsin.DeadLettered.v1", "payload_base64")}
"""Fields that hold a foreign document whole; who reads it checks it."""

Model = type[Any]  # an event or a command: both have OWNER and SLUG

OWNED: list[Model] = [*EVENTS.values(), *COMMANDS.values()]
PLACES = [
    pytest.param(headers, data, place, value, id=".".join(map(str, (headers["ce-type"].split(".")[1], *place))))
    for headers, data in GOOD
    for place, value in leaves(data)
]


def refused(headers: dict[str, str], data: Json, *, trusted: bool = False) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as error:
        decode(headers, json.dumps(data).encode(), trusted=trusted)
    return error.value


def names(error: EnvelopeError, place: Place) -> bool:
    """Whether the error says where: the field, and what is inside it as far as there is more than one."""
    said = (error.field + ": " + error.reason).split(".")
    return said[0].split(":")[0] == str(place[0]) and str(place[-1]) in f"{error.field} {error.reason}"


# --- the tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [events_module, commands_module, signals_module])
def test_no_type_is_forgotten_in_the_tables(module: object) -> None:
    declared = {
        name
        for name, model in vars(module).items()
        if isinstance(model, type) and issubclass(model, Payload) and model.__module__ == module.__name__  # type: ignore[attr-defined]  # a module
        if not name.startswith("_")
    }
    assert declared <= {model.__name__ for model in PAYLOADS.values()}


def test_the_tables_share_no_type() -> None:
    assert len(PAYLOADS) == len(EVENTS) + len(COMMANDS) + len(SIGNALS)
    assert [*EVENTS.values()] == [*ALERT_EVENTS, *INCIDENT_EVENTS, *ORDER_EVENTS]


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_everything_has_an_owner_and_a_last_token(model: Model) -> None:
    assert model.OWNER in SERVICES
    assert re.fullmatch(r"[a-z][a-z_]{2,40}", model.SLUG)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__).lower()
    assert model.SLUG in {snake, snake.removeprefix("incident_")}


@pytest.mark.parametrize("kind", [Event, Command])
def test_the_last_token_is_its_owners_only_one(kind: type) -> None:
    tokens = [(model.OWNER, model.SLUG) for model in OWNED if issubclass(model, kind)]
    assert len(tokens) == len(set(tokens)) > 5


@pytest.mark.parametrize("model", EVENTS.values(), ids=lambda model: model.__name__)
def test_an_event_is_named_in_the_past_tense(model: type[Event]) -> None:
    assert model.__name__.endswith("ed") or model.__name__ in STATES


@pytest.mark.parametrize("model", COMMANDS.values(), ids=lambda model: model.__name__)
def test_a_command_is_named_as_an_imperative(model: type[Command]) -> None:
    assert not model.__name__.endswith(("ed", "ing", "Command"))


@pytest.mark.parametrize("model", PAYLOADS.values(), ids=lambda model: model.__name__)
def test_every_type_says_what_it_means(model: type[Payload]) -> None:
    assert re.match(r"[A-Z].{6,}\.$", (vars(model).get("__doc__") or "").splitlines()[0])
    assert model.type_name() == f"tocsin.{model.__name__}.v{model.VERSION}"


def test_only_the_escalator_decides_an_incidents_life() -> None:
    owners = {
        model.OWNER for model in INCIDENT_EVENTS if model.__name__.startswith(("Incident", "Deadline", "Severity"))
    }
    assert owners == {"escalator"}
    assert {model.OWNER for model in ALERT_EVENTS} == {"detector"}
    assert {model.OWNER for model in INCIDENT_EVENTS if model.__name__.startswith(("Action", "Verif"))} == {
        "remediator"
    }


# --- old logs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "data"), GOOD, ids=lambda value: value.get("ce-type", ""))
def test_what_was_written_once_stays_readable_and_means_the_same(
    headers: dict[str, str], data: dict[str, Json]
) -> None:
    """The golden file is only ever added to. If this fails, give the changed type a new version and an upcaster."""
    envelope = decode(headers, json.dumps(data).encode())
    assert json.loads(envelope.data.to_json()) == data
    assert envelope.type == headers["ce-type"]
    assert (envelope.id, envelope.incident) == (headers["ce-id"], headers.get("ce-subject", ""))


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_type_and_every_field_has_a_golden_example(name: str) -> None:
    """A new type needs an entry in golden/schemas_v1.json, a new field a further entry that has it."""
    shown = {field for headers, data in GOOD if headers["ce-type"] == name for field in data}
    assert any(headers["ce-type"] == name for headers, _ in GOOD)
    assert shown == set(PAYLOADS[name].model_fields)


# --- what every type does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "data"), GOOD, ids=lambda value: value.get("ce-type", ""))
def test_an_older_reader_understands_a_newer_writer(headers: dict[str, str], data: dict[str, Json]) -> None:
    newer = {**data, "field_of_tomorrow": {"deep": [1, None, "\u202e"]}}
    newer = {name: {**v, "tomorrow": 1} if name in ("by", "alert", "playbook") else v for name, v in newer.items()}
    assert decode(headers, json.dumps(newer).encode()) == decode(headers, json.dumps(data).encode())


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_was_said_cannot_be_changed(name: str) -> None:
    headers, data = example(name)
    said = decode(headers, json.dumps(data).encode())
    with pytest.raises(ValidationError):
        setattr(said.data, next(iter(data), "anything"), "other")
    with pytest.raises(AttributeError):
        said.id = "other"  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_required_field_that_is_missing_or_nothing_is_named(name: str) -> None:
    headers, data = example(name)
    for field in (field for field, info in PAYLOADS[name].model_fields.items() if info.is_required()):
        assert refused(headers, {key: value for key, value in data.items() if key != field}).field == field
        assert refused(headers, {**data, field: None}).field.split(".")[0] == field


@pytest.mark.parametrize(("headers", "data", "place", "value"), PLACES)
def test_every_value_refuses_what_is_hostile_and_names_the_field(
    headers: dict[str, str], data: Json, place: Place, value: Json
) -> None:
    if (headers["ce-type"], place[0]) in FREE:
        return
    if isinstance(value, str):
        hostile: list[Json] = ["\x1b[2J", "a\u202eb", "a\u061cb", "a\x00", "x" * 5000, ["a"], {"a": "b"}]
        hostile += [] if value.startswith("PT") else [17]  # a duration may be given in seconds
    elif isinstance(value, bool):
        hostile = ["perhaps", 2, [True], {}]
    else:
        hostile = ["many", [1], {}, "1e999", "NaN"]
    for each in hostile:
        error = refused(headers, with_value(data, place, each))
        assert names(error, place), (each, str(error))


@pytest.mark.parametrize(
    ("headers", "data", "place", "value"), [p for p in PLACES if type(p.values[3]) in (int, float)]
)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_is_infinite(headers: dict[str, str], data: Json, place: Place, value: Json, number: float) -> None:
    wrong = with_value(data, place, number)
    assert refused(headers, wrong).field == "data"  # it is no JSON in the first place
    assert names(refused(headers, wrong, trusted=True), place)
    with pytest.raises(ValidationError):
        PAYLOADS[headers["ce-type"]].model_validate(wrong)


@pytest.mark.parametrize(
    ("headers", "data", "place", "value"), [p for p in PLACES if re.fullmatch(r"20\d\d-.*Z", str(p.values[3]))]
)
def test_no_moment_is_without_a_zone_or_out_of_bounds(
    headers: dict[str, str], data: Json, place: Place, value: Json
) -> None:
    for wrong in (value.removesuffix("Z"), "1772366400", 1_772_366_400, "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z"):
        assert names(refused(headers, with_value(data, place, wrong)), place)


def test_counts_are_bounded() -> None:
    headers, data = example("tocsin.ResponderPaged.v1")
    for level in (-1, 1_000_001, 0.5, 2**63):
        assert refused(headers, {**data, "level": level}).field == "level"


def test_collections_are_bounded() -> None:
    for name, field, most in (("IncidentEscalated", "targets", 256), ("StatusPagePublished", "components", 64)):
        headers, data = example(f"tocsin.{name}.v1")
        decode(headers, json.dumps({**data, field: ["a"] * most}).encode())
        assert refused(headers, {**data, field: ["a"] * (most + 1)}).field == field
    headers, data = example("tocsin.AlertFired.v1")
    assert refused(headers, {**data, "annotations": {f"a{n}": "" for n in range(65)}}).field == "annotations"
    assert refused(headers, {**data, "labels": {f"a{n}": "" for n in range(65)}}).field == "labels"


def test_a_silence_that_would_match_everything_is_refused() -> None:
    headers, data = example("tocsin.Silence.v1")
    for empty in ({}, {"service": ""}):
        assert refused(headers, {**data, "match": empty}).field == "match"
