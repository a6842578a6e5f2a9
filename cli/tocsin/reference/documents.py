"""All generated documents: name under `docs/` to text."""

import json
from collections.abc import Mapping

from tocsin.reference.asyncapi import asyncapi_document
from tocsin.reference.catalogue import catalogue
from tocsin.reference.commands import commands_page
from tocsin.reference.lifecycle import lifecycle_page
from tocsin.reference.operators import operators_page
from tocsin.reference.settings import settings_page
from tocsin_playbook.schema import playbook_schema
from tocsin_rehearsal.cases.reference import reference
from tocsin_rehearsal.cases.schema import FILE_NAME, cases_schema
from tocsin_schemas import PAYLOADS

__all__ = ["documents"]


def documents() -> Mapping[str, str]:
    """Every generated document."""
    made = {
        f"schemas/{name}.json": _json({"$schema": _DIALECT, "$id": f"urn:{name}", **model.model_json_schema()})
        for name, model in sorted(PAYLOADS.items())
    }
    made["schemas/playbook.schema.json"] = _json(playbook_schema(), sort_keys=True)
    made[f"schemas/{FILE_NAME}"] = _json(cases_schema(), sort_keys=True)
    made["playbook-tests.md"] = reference()
    made["asyncapi.json"] = _json(asyncapi_document(), sort_keys=True)
    made["events.md"] = catalogue()
    made["settings.md"] = settings_page()
    made["commands.md"] = commands_page()
    made["lifecycle.md"] = lifecycle_page()
    made["operators.md"] = operators_page()
    return made


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _json(document: object, *, sort_keys: bool = False) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=sort_keys) + "\n"
