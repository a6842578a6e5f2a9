"""The JSON Schema editors use."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from tocsin_playbook.schema import playbook_schema, write_schema

ROOT = Path(__file__).parents[3]


def problems(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(playbook_schema())
    return [error.message for error in validator.iter_errors(document)]


def storefront() -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / "examples/storefront/playbook.yaml").read_text())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(playbook_schema())


def test_the_storefront_fits_the_schema() -> None:
    assert problems(storefront()) == []


@pytest.mark.parametrize(
    ("section", "value"),
    [("kind", "Playbok"), ("severities", []), ("review", {"due_within": "soon"}), ("reviw", {}), ("group", {"by": 1})],
)
def test_what_is_no_playbook_does_not_fit(section: str, value: Any) -> None:
    assert problems({**storefront(), section: value})


def test_every_key_of_the_grammar_is_described() -> None:
    schema = playbook_schema()
    definitions: dict[str, Any] = {"Playbook": schema, **schema["$defs"]}  # type: ignore[dict-item]
    silent = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value
    ]
    assert silent == []


def test_the_schema_in_the_docs_is_current(tmp_path: Path) -> None:
    written = write_schema(tmp_path / "docs").read_text()
    assert json.loads(written) == json.loads(json.dumps(playbook_schema()))
    assert (ROOT / "docs/schemas/playbook.schema.json").read_text() == written, "run python -m tocsin_playbook.schema"


def test_the_schema_can_be_written_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["schema", str(tmp_path)])
    monkeypatch.delitem(sys.modules, "tocsin_playbook.schema")
    runpy.run_module("tocsin_playbook.schema", run_name="__main__")
    assert capsys.readouterr().out.strip() == str(tmp_path / "playbook.schema.json")
