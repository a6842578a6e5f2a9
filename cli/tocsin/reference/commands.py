"""The command line reference: `docs/commands.md`, from every command's own help."""

import re

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from tocsin.main import app

__all__ = ["commands_page"]


def commands_page() -> str:
    """The page as Markdown."""
    root = typer.main.get_group(app)
    parts = ["# The command line\n\n*Made from each command's own help by `make docs`; do not edit.*\n"]
    parts += [f"\n## tocsin {' '.join(words)}\n\n```text\n{_help(words)}\n```\n" for words in _paths(root, ())]
    return "".join(parts)


def _paths(group: TyperGroup, before: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in sorted(group.commands.items()):
        found += _paths(command, (*before, name)) if isinstance(command, TyperGroup) else [(*before, name)]
    return found


def _help(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return "\n".join(line.rstrip() for line in plain.strip().splitlines())
