"""`tocsin tokens`: made once, shown once, kept as a hash, taken back; each refusal is one line."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tocsin import access_tokens
from tocsin.main import app
from tocsin.place import Place
from tocsin_runtime.tokens import Tokens, hash_of


def tocsin(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["tokens", *map(str, words)], env={"COLUMNS": "60"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def added(file: Path, name: str, *more: str) -> str:
    status, output, error = tocsin("add", name, "--file", file, *more)
    assert (status, error) == (0, f"The access token of {name}, shown only this once:\n")
    return output.removesuffix("\n")


def test_a_token_is_printed_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "tokens"
    token = added(file, "ada")
    assert Tokens(file).who(token) == "ada"
    assert file.read_text() == f"ada sha256:{hash_of(token)}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert tocsin("list", "--file", file) == (0, "ada\n", "")


def test_without_a_file_named_it_is_the_one_of_the_data_folder(tmp_path: Path) -> None:
    status, output, _ = tocsin("add", "ada", "--data", tmp_path)
    assert (status, Tokens(Place(tmp_path).tokens).who(output.strip())) == (0, "ada")


def test_who_has_a_token_gets_another_one_only_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    first, other = added(file, "ada"), added(file, "bob")
    assert tocsin("add", "ada", "--file", file) == (
        1, "", "ada has a token already; --replace puts a new one in its place\n",
    )  # fmt: skip
    assert Tokens(file).who(first) == "ada"
    second = added(file, "ada", "--replace")
    tokens = Tokens(file)
    assert (tokens.who(first), tokens.who(second), tokens.who(other)) == (None, "ada", "bob")


def test_a_token_is_taken_back_and_what_else_stands_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# people\nnonsense\n")
    file.chmod(0o644)
    ada, bob = added(file, "ada"), added(file, "bob of the shop")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert tocsin("revoke", "ada", "--file", file) == (0, "the access token of ada lets nobody in any more\n", "")
    tokens = Tokens(file)
    assert (tokens.who(ada), tokens.who(bob)) == (None, "bob of the shop")
    assert file.read_text().splitlines()[:2] == ["# people", "nonsense"]
    assert tocsin("revoke", "ada", "--file", file) == (1, "", "ada has no access token\n")


def test_the_list_is_for_machines_too_and_says_which_line_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    assert tocsin("list", "--file", file) == (0, "nobody has an access token; `tocsin tokens add NAME` makes one\n", "")
    added(file, "ada")
    assert json.loads(tocsin("list", "--file", file, "--json")[1]) == {"tokens": [{"name": "ada"}]}
    with file.open("a") as text:
        text.write("nonsense\n")
    said = f"{file}, line 2: it is not `NAME sha256:` and 64 hex digits\n"
    assert tocsin("list", "--file", file) == (1, "ada\n", said)


@pytest.mark.parametrize("name", ["", "#ada", "a\x1b[2J", "x" * 129])
def test_what_cannot_be_a_name_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    status, output, error = tocsin("add", "--file", tmp_path / "tokens", "--", name)
    assert (status, output, error.count("\n"), error.startswith("the name: ")) == (1, "", 1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "plain").write_text("")
    said = {
        tmp_path / "binary": f"{tmp_path}/binary cannot be read: it is not UTF-8\n",
        tmp_path / "plain" / "tokens": f"{tmp_path}/plain/tokens cannot be written: File exists\n",
    }
    for file, line in said.items():
        assert tocsin("add", "ada", "--file", file) == (1, "", line)


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "tokens")
    token = added(link, "ada")
    assert link.is_symlink()
    assert Tokens(tmp_path / "tokens").who(token) == "ada"


def test_of_many_at_once_none_is_lost(tmp_path: Path) -> None:
    file, names = tmp_path / "tokens", [f"person {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: access_tokens.add(name, file=file), names))
    assert set(tocsin("list", "--file", file)[1].splitlines()) == set(names)
