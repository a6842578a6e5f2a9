"""Factories: one for every type of the contract, valid, always the same, and fitting together."""

import re
from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError

from tocsin_playbook import PlaybookError, lint
from tocsin_rehearsal import factories
from tocsin_rehearsal.factories import Factory
from tocsin_rehearsal.world import World
from tocsin_runtime.topology import STREAMS
from tocsin_schemas import COMMANDS, EVENTS, PAYLOADS, SIGNALS, Labels, Payload, Role, decode, encode
from tocsin_schemas.events import ALERT_EVENTS, ORDER_EVENTS, IncidentOpened
from tocsin_schemas.ids import fingerprint, incident_id

TYPES = sorted(PAYLOADS.values(), key=lambda model: model.__name__)


def factory_of(model: type[Payload]) -> Factory[Payload]:
    """The one that has the type's name, in small letters."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__).lower()
    found = getattr(factories, name, None)
    assert isinstance(found, Factory), f"there is no factories.{name}: write one for {model.__name__}"
    return found


EACH = pytest.mark.parametrize("model", TYPES, ids=lambda model: model.__name__)


# --- all of them ------------------------------------------------------------------------------------------------------


def test_events_commands_and_signals_are_all_of_the_contract() -> None:
    assert {**EVENTS, **COMMANDS, **SIGNALS} == PAYLOADS


@EACH
def test_every_type_has_a_factory_of_its_name(model: type[Payload]) -> None:
    assert type(factory_of(model)()) is model


@EACH
def test_what_a_factory_makes_is_always_the_same(model: type[Payload]) -> None:
    assert factory_of(model)() == factory_of(model)()


@EACH
def test_what_a_factory_makes_travels_and_arrives(model: type[Payload]) -> None:
    sent = factories.envelope(factory_of(model)(), sequence=3)
    headers, body = encode(sent)

    assert decode(headers, body, sequence=3) == sent


@EACH
def test_what_a_factory_makes_has_a_subject_in_one_of_the_streams(model: type[Payload]) -> None:
    subject = factories.subject_of(factories.envelope(factory_of(model)()))

    prefixes = {".".join(each.split(".")[:2]) for stream in STREAMS for each in stream.subjects}
    assert ".".join(subject.split(".")[:2]) in prefixes


def test_a_standing_order_is_published_where_orders_are_and_not_where_incidents_are() -> None:
    for model in ORDER_EVENTS:
        subject = factories.subject_of(factories.envelope(factory_of(model)()))
        assert subject == f"tocsin.orders.escalator.{model.SLUG}"


@EACH
def test_every_field_can_be_said(model: type[Payload]) -> None:
    usual = factory_of(model)()
    for name in model.model_fields:
        assert factory_of(model)(**{name: getattr(usual, name)}) == usual


@EACH
def test_a_field_that_does_not_exist_is_an_error(model: type[Payload]) -> None:
    with pytest.raises(TypeError, match=f"{model.__name__} has no field 'severty'"):
        factory_of(model)(severty="P1")


def test_a_value_that_the_contract_refuses_is_an_error() -> None:
    with pytest.raises(ValidationError):
        factories.responder_paged(level=-1)


def test_a_model_of_somebody_elses_gets_values_by_its_annotations() -> None:
    class Measured(BaseModel):
        what: str
        often: int | None
        share: float
        good: bool
        role: Role
        within: timedelta
        labels: Labels
        parts: tuple[int, ...]

    made = Factory(Measured)()

    assert (made.what, made.often, made.role, made.parts) == ("what", 1, Role.COMMANDER, ())
    assert repr(Factory(Measured)) == "Factory(Measured)"


# --- what fits together -----------------------------------------------------------------------------------------------


def test_the_same_alert_fires_is_grouped_clears_and_ends() -> None:
    fired = factories.alert_fired()
    others = (factories.alert_resolved(), factories.alert_grouped().alert, factories.alert_cleared())

    assert {(other.fingerprint, other.episode, other.rule) for other in others} == {
        (fired.fingerprint, fired.episode, fired.rule)
    }


def test_other_labels_are_another_alert() -> None:
    labels = {"alertname": "QueueStuck", "queue": "mail"}
    fired = factories.alert_fired(labels=labels)

    assert fired.rule == "QueueStuck"
    assert fired.fingerprint == fingerprint(Labels(labels))
    assert factories.alert_resolved(labels=labels).episode == fired.episode
    assert factories.grouped_alert(labels=labels).episode == fired.episode
    assert fired.episode != factories.alert_fired().episode


def test_another_rule_is_another_alert() -> None:
    fired = factories.alert_fired(rule="QueueStuck")

    assert fired.labels["alertname"] == "QueueStuck"
    assert factories.alert_cleared(rule="QueueStuck").fingerprint == fired.fingerprint


def test_what_is_said_wins_over_what_would_fit() -> None:
    assert factories.alert_fired(fingerprint="0" * 16, labels={"alertname": "A"}).fingerprint == "0" * 16


def test_a_playbook_is_published_under_its_own_name_and_revision() -> None:
    other = factories.playbook_published(text=factories.PLAYBOOK_TEXT.replace("name: shop", "name: depot"))

    assert other.playbook.name == "depot"
    assert other.playbook.revision != factories.PLAYBOOK.revision
    assert factories.playbook_published().playbook == factories.PLAYBOOK


def test_a_text_that_is_no_playbook_needs_a_name() -> None:
    with pytest.raises(PlaybookError):
        factories.playbook_published(text="- nothing")
    assert factories.playbook_published(text="- nothing", playbook=factories.PLAYBOOK).text == "- nothing"


def test_the_playbook_has_nothing_to_complain_about() -> None:
    assert lint(factories.PLAYBOOK_TEXT, "shop.yaml") == []


def test_the_services_would_make_the_same_incident_of_the_alert() -> None:
    """The factories' alert, under the factories' playbook, opens the factories' incident."""
    world = World([factories.PLAYBOOK_TEXT], leave_out=("detector", "remediator", "notifier"))
    alert = factories.envelope(factories.alert_fired())
    world.send(factories.subject_of(alert), alert)
    world.run_for(timedelta(seconds=1))

    (opened,) = [event for event in world.log if isinstance(event.data, IncidentOpened)]
    usual = factories.envelope(factories.incident_opened())
    assert opened.incident == usual.incident == factories.INCIDENT
    ours, theirs = usual.data, opened.data
    assert (ours.group_key, ours.title, ours.labels, ours.playbook, ours.severity) == (
        theirs.group_key,
        theirs.title,
        theirs.labels,
        theirs.playbook,
        theirs.severity,
    )
    world.close()


# --- envelopes --------------------------------------------------------------------------------------------------------


def test_an_event_is_about_the_usual_incident_unless_it_says_another() -> None:
    assert factories.envelope(factories.note_added()).incident == factories.INCIDENT
    assert factories.envelope(factories.note_added(), incident="other").incident == "other"
    assert factories.envelope(factories.acknowledge(incident="other")).incident == "other"
    assert {factories.envelope(factory_of(model)()).incident for model in (*ALERT_EVENTS, *ORDER_EVENTS)} == {""}


def test_an_opening_is_about_its_own_incident() -> None:
    opened = factories.incident_opened(labels={"service": "search"}, episode=2)

    assert factories.envelope(opened).incident == incident_id(opened.group_key, 2) != factories.INCIDENT


def test_the_same_event_has_the_same_id_and_another_cause_makes_it_another() -> None:
    event = factories.note_added()
    usual = factories.envelope(event)

    assert usual == factories.envelope(event)
    assert usual.id != factories.envelope(event, cause="another").id
    assert usual.id != factories.envelope(event, incident="other").id
    assert usual.id != factories.envelope(factories.note_added(text="else")).id
    assert factories.envelope(event, cause="another").cause == "another"


def test_an_envelope_names_who_says_it_and_when() -> None:
    later = factories.NOW + timedelta(hours=1)

    assert factories.envelope(factories.note_added(), at=later).time == later
    assert factories.envelope(factories.note_added()).source == "tocsin/escalator"
    assert factories.envelope(factories.acknowledge()).source == "tocsin/operator"
    assert factories.envelope(factories.timer_due()).source == "tocsin/escalator"
    assert factories.envelope(factories.dead_lettered(service="notifier")).source == "tocsin/notifier"


def test_of_a_payload_of_no_stream_it_is_said_that_nothing_is_known() -> None:
    class Unheard(Payload):
        """Nobody publishes this."""

    with pytest.raises(TypeError, match="Unheard"):
        factories.subject_of(factories.envelope(Unheard()))
