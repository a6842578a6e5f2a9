"""Old shapes are read by today's code: step by step, and never in a circle."""

import json

import pytest
from schemas_builders import example

from tocsin_schemas import EnvelopeError, decode
from tocsin_schemas.events import NoteAdded
from tocsin_schemas.upcast import UPCASTERS, Document, Upcaster, UpcastLoopError, upcast

OLD = "tocsin.NoteAdded.v0"
OLDER = "tocsin.NoteWritten.v1"


def from_older(document: Document) -> tuple[str, Document]:
    return OLD, {"message": document["words"], "by": document["by"]}


def from_old(document: Document) -> tuple[str, Document]:
    return "tocsin.NoteAdded.v1", {"text": document["message"], "by": document["by"]}


STEPS: dict[str, Upcaster] = {OLDER: from_older, OLD: from_old}
BY = {"kind": "person", "name": "ada"}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(UPCASTERS, dict)
    for name, step in STEPS.items():
        monkeypatch.setitem(UPCASTERS, name, step)


def headers(type_name: str) -> dict[str, str]:
    return {**example("tocsin.NoteAdded.v1")[0], "ce-type": type_name}


def test_a_type_of_today_is_left_alone() -> None:
    document: Document = {"text": "a"}
    assert upcast("tocsin.NoteAdded.v1", document, STEPS) == ("tocsin.NoteAdded.v1", document)


def test_steps_are_chained() -> None:
    assert upcast(OLDER, {"words": "a", "by": BY}, STEPS) == ("tocsin.NoteAdded.v1", {"text": "a", "by": BY})


def test_steps_that_lead_in_a_circle_are_a_mistake_of_ours() -> None:
    circle: dict[str, Upcaster] = {"a": lambda document: ("b", document), "b": lambda document: ("a", document)}
    with pytest.raises(UpcastLoopError, match="circle"):
        upcast("a", {}, circle)
    with pytest.raises(UpcastLoopError):
        upcast("a", {}, {"a": lambda document: ("a", document)})


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize(("type_name", "field"), [(OLD, "message"), (OLDER, "words")])
@pytest.mark.parametrize("trusted", [True, False])
def test_an_old_message_is_read_as_what_it_is_today(type_name: str, field: str, trusted: bool) -> None:
    body = json.dumps({field: "rolled back", "by": BY}).encode()
    envelope = decode(headers(type_name), body, trusted=trusted)
    assert isinstance(envelope.data, NoteAdded)
    assert (envelope.data.text, envelope.type) == ("rolled back", "tocsin.NoteAdded.v1")
    assert envelope.id == headers(type_name)["ce-id"]


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("body", [b"{}", b'{"message": "a"}', b"[]", b"null", b"", b'{"message": "\\u202e", "by": {}}'])
def test_a_document_that_is_not_of_the_old_shape_is_refused_as_any_other(body: bytes, trusted: bool) -> None:
    """An upcaster trusts the shape of its version; what a stranger sends may have any."""
    with pytest.raises(EnvelopeError):
        decode(headers(OLD), body, trusted=trusted)


@pytest.mark.usefixtures("steps")
def test_an_old_document_with_labels_of_today_names_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(UPCASTERS, dict)
    monkeypatch.setitem(UPCASTERS, OLD, lambda document: ("tocsin.AlertFired.v1", document))
    fired = {**example("tocsin.AlertFired.v1")[1], "labels": {"a b": "1"}}
    with pytest.raises(EnvelopeError) as refused:
        decode(headers(OLD), json.dumps(fired).encode())
    assert refused.value.field == "labels"


def test_a_type_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(EnvelopeError, match=r"ce-type: 'tocsin.NoteAdded.v9' is not a type of this version"):
        decode(headers("tocsin.NoteAdded.v9"), b"{}")
