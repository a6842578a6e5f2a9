"""`tocsin lint` and `tocsin playbook push`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tocsin.operator import Operator, ProblemError
from tocsin_playbook import PlaybookError, lint
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push

__all__ = ["lint_files", "push_file"]


def lint_files(files: Sequence[Path], out: Console) -> int:
    """Print every problem; the answer is 1 if one of them is an error."""
    errors = warnings = 0
    for file in files:
        try:
            text = file.read_bytes()
        except OSError as error:
            out.print(f"{file}: cannot be read: {error.strerror}", markup=False)
            errors += 1
            continue
        for problem in lint(text, source=str(file), now=datetime.now(UTC)):
            out.print(str(problem), markup=False)
            errors += problem.level == "error"
            warnings += problem.level == "warning"
    if not errors and not warnings:
        out.print(f"{len(files)} playbook{'s' if len(files) != 1 else ''}: nothing to complain about")
    return 1 if errors else 0


def push_file(file: Path, operator: Operator, out: Console) -> None:
    """Publish a playbook that has no errors."""
    text = file.read_text(encoding="utf-8")
    asyncio.run(_push(text, str(file), operator, out))


async def _push(text: str, source: str, operator: Operator, out: Console) -> None:
    async with operator.connected() as connection:
        try:
            await ensure_streams(connection)
            ref, new = await push(connection, text, source=source)
        except PlaybookError as error:
            raise ProblemError(str(error)) from None
        except NotAllowedError:
            raise ProblemError(f"the identity {operator.identity} may not put playbooks in force") from None
    out.print(f"{ref.name} {ref.revision} " + ("is in force" if new else "was in force already"))
