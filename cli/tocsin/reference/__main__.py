"""Write the generated documents, or (`--check`) say which of them are stale."""

import sys
from pathlib import Path

from tocsin.reference.documents import documents


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    folder = Path(next((argument for argument in arguments if not argument.startswith("-")), "docs"))
    made = documents()
    if check:
        stale = [name for name, text in made.items() if not _holds(folder / name, text)]
        expected = set(made)
        for name in sorted(stale):
            print(f"{folder / name} is stale: run `make docs`", file=sys.stderr)
        left = [path for path in (folder / "schemas").glob("*.json") if f"schemas/{path.name}" not in expected]
        for path in left:
            print(f"{path} is made by nothing any more: delete it", file=sys.stderr)
        return 1 if stale or left else 0
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"wrote {len(made)} documents to {folder}")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


raise SystemExit(main(sys.argv[1:]))
