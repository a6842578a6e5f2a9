"""`tocsin tokens`: who may ask for something over HTTP and in the console, and with which access token."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tocsin.operator import ProblemError
from tocsin.place import Place, write_private
from tocsin.terminal import HERE, Folder, Json, err, fail, guarded, out
from tocsin_runtime.tokens import TokensError, hash_of, new_token, read_tokens, token_line

__all__ = ["commands"]

commands = typer.Typer(help="Access tokens for the HTTP API and the console.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(help="A person's name as the playbooks have it, or an integration's.")]
TokensFile = Annotated[
    Path | None, typer.Option("--file", dir_okay=False, help="The file of tokens; default `tokens` in the data folder.")
]


@commands.command("add")
def add(
    name: Owner,
    replace: Annotated[bool, typer.Option("--replace", help="In place of the token that this name has.")] = False,
    file: TokensFile = None,
    data: Folder = HERE,
) -> None:
    """Make an access token and print it. It is shown only this once: only its hash is kept."""

    def go() -> None:
        token = new_token()
        try:
            line = token_line(name, hash_of(token))
        except TokensError as error:
            raise ProblemError(str(error)) from None

        def change(lines: list[str]) -> list[str]:
            kept = [each for each in lines if _owner(each) != name]
            if len(kept) < len(lines) and not replace:
                raise ProblemError(f"{name} has a token already; --replace puts a new one in its place")
            return [*kept, line]

        _rewrite(_path(file, data), change)
        err.print(f"The access token of {name}, shown only this once:", markup=False)
        out.print(token, markup=False, soft_wrap=True)

    guarded(go)


@commands.command("list")
def list_(file: TokensFile = None, data: Folder = HERE, as_json: Json = False) -> None:
    """Who has an access token."""

    def go() -> None:
        path = _path(file, data)
        known, wrong = read_tokens("\n".join(_lines(path)))
        names = list(dict.fromkeys(name for name, _ in known))
        if as_json:
            out.print_json(json.dumps({"tokens": [{"name": name} for name in names]}))
        elif not names:
            out.print("nobody has an access token; `tocsin tokens add NAME` makes one")
        else:
            for name in names:
                out.print(name, markup=False)
        if wrong:
            fail(f"{path}, {wrong[0]}")

    guarded(go)


@commands.command("revoke")
def revoke(name: Owner, file: TokensFile = None, data: Folder = HERE) -> None:
    """Take somebody's access token back. It lets nobody in from now on, and ends their sessions in the console."""

    def go() -> None:
        def change(lines: list[str]) -> list[str]:
            kept = [each for each in lines if _owner(each) != name]
            if len(kept) == len(lines):
                raise ProblemError(f"{name} has no access token")
            return kept

        _rewrite(_path(file, data), change)
        out.print(f"the access token of {name} lets nobody in any more", markup=False)

    guarded(go)


# --- the file ---------------------------------------------------------------------------------------------------------


def _path(file: Path | None, data: Path) -> Path:
    return (file or Place(data).tokens).resolve()  # a link stays one


def _owner(line: str) -> str | None:
    known, _ = read_tokens(line)
    return known[0][0] if known else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path} cannot be read: {_reason(error)}") from None


def _rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Comments and lines that say nothing stay as they are."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(path.parent):
            write_private(path, "".join(f"{line}\n" for line in change(_lines(path))))
    except OSError as error:
        raise ProblemError(f"{path} cannot be written: {_reason(error)}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else changes a file of this folder in this way until the block ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"
