"""The JSON Schema for editors, and the reference that is made from the models."""

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from tocsin_rehearsal.cases import cases_schema, reference
from tocsin_rehearsal.cases.model import CaseFile
from tocsin_rehearsal.cases.reference import _sections

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.yaml"))


def problems(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(cases_schema())
    return [error.message for error in validator.iter_errors(document)]


def document(**case: Any) -> Any:
    test = {"name": "a", "expect": [{"at": "1s", "incident": "none"}], **case}
    return {"apiVersion": "tocsin/v1", "kind": "PlaybookTest", "playbook": "p.yaml", "tests": [test]}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(cases_schema())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_fit_the_schema(example: Path) -> None:
    assert problems(YAML(typ="safe", pure=True).load(example.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "case",
    [
        {"given": {"series": {"shop": {"up": 1}}, "world": {"slack": "down", "nats": "down"}}},
        {"given": {"series": [{"values": {"up": "1x5"}}], "world": {"pager": [{"status": 429}]}}},
        {"at": [{"at": "1s", "do": {"ack": "ada"}}, {"at": "2s", "do": [{"kill": "notifier"}, {"slack": "up"}]}]},
        {"expect": [{"throughout": True, "pages": "none"}, {"between": ["1s", "2s"], "pages": ["ada", {"level": 2}]}]},
        {"expect": [{"by": "1s", "messages": {"containing": ["a", "b"]}, "events": "NoteAdded", "only": "events"}]},
    ],
)
def test_every_shorthand_fits_the_schema(case: Any) -> None:
    assert problems(document(**case)) == []


@pytest.mark.parametrize(
    "case",
    [
        {"nmae": "b"},
        {"at": [{"at": "1s", "do": {"kill": "everybody"}}]},
        {"given": {"world": {"nats": "gone"}}},
        {"given": {"world": {"slack": {"stauts": 1}}}},
        {"expect": []},
        {"expect": [{"at": "1s", "actions": [{"outcome": "fine"}]}]},
        {"expect": [{"between": ["1s"], "incident": "none"}]},
    ],
)
def test_what_is_no_test_does_not_fit(case: Any) -> None:
    assert problems(document(**case))


def test_the_reference_has_every_section_with_every_key() -> None:
    page = reference()
    for section in _sections(CaseFile):
        for name, field in section.model_fields.items():
            assert re.search(rf"\| `{field.alias or name}`\*? \|", page)
    assert "| *a channel* | [channel trouble](#channel-trouble) or a list of them or `up`, `down` (optional) |" in page


def test_every_link_of_the_reference_leads_somewhere() -> None:
    page = reference()
    headings = {
        line.removeprefix("## ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("## ")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


def test_the_reference_marks_the_key_for_which_a_text_may_stand() -> None:
    page = reference()
    for marked in ("`by`*", "`who`*", "`step`*", "`phase`*", "`containing`*", "`kind`*", "`type`*", "`name`*"):
        assert f"| {marked} |" in page


def test_the_example_in_the_reference_is_sound(tmp_path: Path) -> None:
    example = reference().partition("```yaml\n")[2].partition("```")[0]
    assert problems(YAML(typ="safe", pure=True).load(example)) == []


def test_every_description_is_there() -> None:
    assert not re.search(r"\|  \|$", reference(), re.MULTILINE)
