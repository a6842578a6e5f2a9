"""Label sets: one identity whatever the order, bounded, and never altered silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from schemas_builders import LABELS

from tocsin_schemas import Labels
from tocsin_schemas.labels import MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS

WIRE: TypeAdapter[Labels] = TypeAdapter(Labels)


@given(LABELS, st.randoms())
def test_the_order_in_which_labels_are_given_does_not_matter(labels: Labels, random: object) -> None:
    pairs = list(labels.items())
    random.shuffle(pairs)  # type: ignore[attr-defined]  # hypothesis declares no type for it
    other = Labels(dict(pairs))
    assert (other, hash(other), list(other), repr(other)) == (labels, hash(labels), sorted(labels), repr(labels))


@given(LABELS)
def test_what_is_written_is_read_again(labels: Labels) -> None:
    assert WIRE.validate_json(WIRE.dump_json(labels)) == labels


def test_a_label_without_a_value_is_no_label() -> None:
    assert Labels(a="1", b="") == Labels(a="1")
    assert "b" not in Labels(b="")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a.b",
        "a*",
        ">",
        "a b",
        "1a",
        "ä",
        "a-b",
        "🔥",
        "a\n",
        "__proto__\u200b",
        "a" * (MAX_LABEL_NAME + 1),
        "a\x00",
    ],
)
def test_a_name_that_is_no_label_name_is_refused_and_named(name: str) -> None:
    with pytest.raises(ValueError, match="is not a label name") as refused:
        Labels({name: "1"})
    assert len(str(refused.value)) < 400
    with pytest.raises(ValidationError):
        WIRE.validate_python({name: "1"})


@pytest.mark.parametrize("name", ["__proto__", "__class__", "_", "A1", "a" * MAX_LABEL_NAME])
def test_a_strange_name_that_is_one_is_only_a_name(name: str) -> None:
    assert Labels({name: "1"})[name] == "1"


@pytest.mark.parametrize("value", ["\x1b[2J", "a\x00", "\u202eabc", "\u061cabc", "x" * (MAX_LABEL_VALUE + 1), "\ud800"])
def test_a_value_that_would_do_harm_is_refused_with_its_label(value: str) -> None:
    with pytest.raises(ValueError, match="label 'city'"):
        Labels(city=value)


@pytest.mark.parametrize("value", ["tocsin.incidents.*.>", "{{7*7}}", "a\nb", "' OR 1=1", "x" * MAX_LABEL_VALUE, "NaN"])
def test_a_value_that_is_only_strange_is_kept(value: str) -> None:
    assert Labels(city=value)["city"] == value


def test_the_number_of_labels_is_bounded() -> None:
    Labels({f"l{n}": "1" for n in range(MAX_LABELS)})
    with pytest.raises(ValueError, match="at most 64"):
        Labels({f"l{n}": "1" for n in range(MAX_LABELS + 1)})
    with pytest.raises(ValidationError, match="at most 64"):
        WIRE.validate_python({f"l{n}": "" for n in range(10_000)})


@pytest.mark.parametrize("document", ['{"a": 1}', '{"a": null}', '{"a": true}', '{"a": ["1"]}', "[]", "null", '"a"'])
def test_only_text_is_a_value(document: str) -> None:
    with pytest.raises(ValidationError):
        WIRE.validate_json(document)


def test_labels_cannot_be_changed() -> None:
    labels = Labels(a="1")
    assert labels.with_labels(a="2", b="3") == Labels(a="2", b="3")
    assert labels == Labels(a="1")
    with pytest.raises(TypeError):
        labels["a"] = "2"  # type: ignore[index]  # what the test is about


def test_labels_are_equal_to_labels_only() -> None:
    assert Labels(a="1") != {"a": "1"}
    assert repr(Labels(b="2", a="1")) == '{a="1", b="2"}'


def test_a_model_takes_labels_as_they_are_and_describes_them() -> None:
    labels = Labels(a="1")
    assert WIRE.validate_python(labels) is labels
    schema = WIRE.json_schema()
    assert (schema["type"], schema["maxProperties"]) == ("object", MAX_LABELS)
