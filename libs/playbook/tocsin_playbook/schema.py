"""The playbook's JSON Schema (2020-12), for editors: completion, hover texts, checks while typing.

python -m tocsin_playbook.schema [folder]     writes playbook.schema.json there (default: docs/schemas)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tocsin_playbook.model import Playbook

FILE_NAME = "playbook.schema.json"


def playbook_schema() -> dict[str, object]:
    """The schema of a playbook as YAML or JSON is written."""
    schema = Playbook.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def write_schema(folder: Path) -> Path:
    """Write the schema into a folder, which is made if need be; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE_NAME
    file.write_text(
        json.dumps(playbook_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
    return file


if __name__ == "__main__":
    print(write_schema(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schemas")))  # noqa: T201 - a command
