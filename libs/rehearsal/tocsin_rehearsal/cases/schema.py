"""The JSON Schema (2020-12) of test files, for editors: completion, hover texts, checks while typing."""

from __future__ import annotations

from tocsin_rehearsal.cases.model import CaseFile

FILE_NAME = "playbook-test.schema.json"


def cases_schema() -> dict[str, object]:
    """The schema of a file of tests as YAML or JSON is written."""
    schema = CaseFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
