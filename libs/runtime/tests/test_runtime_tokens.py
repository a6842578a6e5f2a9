"""Access tokens: who is let in, who is not, and what is said of a file that is wrong."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from structlog.testing import capture_logs

from tocsin_runtime.tokens import Tokens, TokensError, bearer, hash_of, new_token, read_tokens, token_line

ADA, BOB, NOBODY = (f"tcs_{letter * 43}" for letter in "abn")


def a_file(folder: Path, *lines: str) -> Path:
    path = folder / "tokens"
    path.write_text("\n".join(lines))
    return path


def entry(name: str, token: str) -> str:
    return token_line(name, hash_of(token))


def request(authorization: str | None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    return Request({"type": "http", "headers": headers})


def basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


def test_a_token_is_random_and_nothing_of_it_is_kept() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) == 47 and token.startswith("tcs_") for token in made)
    assert ADA[4:] not in entry("ada", ADA)


def test_each_token_is_its_owners(tmp_path: Path) -> None:
    tokens = Tokens(a_file(tmp_path, "# people", "", entry("ada", ADA), f"  {entry('bob of the shop', BOB)}\r"))
    assert (tokens.who(ADA), tokens.who(BOB)) == ("ada", "bob of the shop")
    assert tokens.problem() is None


@pytest.mark.parametrize("token", ["", "tcs_", NOBODY, ADA[:-1], ADA + "x", f" {ADA}", ADA.upper(), hash_of(ADA)])
def test_what_is_nobodys_token_is_nobodys(tmp_path: Path, token: str) -> None:
    assert Tokens(a_file(tmp_path, entry("ada", ADA))).who(token) is None


def test_two_tokens_of_one_name_are_both_theirs_while_one_replaces_the_other(tmp_path: Path) -> None:
    tokens = Tokens(a_file(tmp_path, entry("ada", ADA), entry("ada", BOB), entry("bob", new_token())))
    assert (tokens.who(ADA), tokens.who(BOB)) == ("ada", "ada")
    assert tokens.hashes("ada") == (hash_of(ADA), hash_of(BOB))
    assert tokens.hashes("eve") == ()


def test_without_a_file_nobody_comes_in_and_that_is_no_problem(tmp_path: Path) -> None:
    for tokens in (Tokens(None), Tokens(tmp_path / "none")):
        assert (tokens.who(ADA), tokens.hashes("ada"), tokens.problem()) == (None, (), None)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    assert tokens.who(ADA) is None
    path = a_file(tmp_path, entry("ada", ADA))
    assert tokens.who(ADA) == "ada"
    beside = tmp_path / "beside"
    beside.write_text(entry("eve", ADA))  # of the same length
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.replace(path)
    assert tokens.who(ADA) == "eve"
    path.unlink()
    assert tokens.who(ADA) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ada", "it is not `NAME sha256:` and 64 hex digits"),
        (f"ada {ADA}", "it is not `NAME sha256:` and 64 hex digits"),
        (f"ada sha256:{'0' * 63}", "it is not `NAME sha256:` and 64 hex digits"),
        (f"ada sha256:{'G' * 64}", "it is not `NAME sha256:` and 64 hex digits"),
        (f"sha256:{'0' * 64}", "the name: String should have at least 1 character"),
        (f"{'x' * 129} sha256:{'0' * 64}", "the name: String should have at most 128 characters"),
        (
            f"a\u202eb sha256:{'0' * 64}",
            "the name: contains the control or direction character U+202E at position 1",
        ),
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number_and_lets_nobody_in(tmp_path: Path, line: str, said: str) -> None:
    path = a_file(tmp_path, "# people", line, entry("ada", ADA))
    with capture_logs() as logs:
        tokens = Tokens(path)
        assert tokens.who(ADA) == "ada", "the others still come in"
        assert tokens.problem() == f"{path}, line 2: {said}"
    assert [each["problem"] for each in logs] == [tokens.problem()]
    assert ADA not in str(logs)


def test_a_file_that_cannot_be_read_lets_nobody_in_and_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    large = tmp_path / "large"
    large.write_bytes(b"#" * (1024 * 1024 + 1))
    said = {
        folder: "it cannot be read: Is a directory",
        binary: "it is not UTF-8",
        large: "it is larger than 1048576 bytes",
    }
    for path, why in said.items():
        tokens = Tokens(path)
        assert tokens.who(ADA) is None
        assert tokens.problem() == f"{path}: {why}"


@pytest.mark.parametrize("name", ["", "a\nb", "#ada", " ada", "x" * 129])
def test_what_cannot_be_a_name_in_the_file_is_refused(name: str) -> None:
    with pytest.raises(TokensError, match="the name: "):
        token_line(name, hash_of(ADA))


@given(st.text(max_size=200))
def test_whatever_stands_in_the_file_is_read_or_refused_and_what_was_read_can_be_written(text: str) -> None:
    known, wrong = read_tokens(text)
    again = read_tokens("\n".join(token_line(*each) for each in known))
    assert again == (known, [])
    assert all(each.startswith("line ") for each in wrong)


@given(st.text(st.characters(codec="utf-8"), max_size=130))
def test_a_name_that_can_be_written_is_read_back(name: str) -> None:
    try:
        line = token_line(name, hash_of(ADA))
    except TokensError:
        return
    assert read_tokens(line) == ([(name, hash_of(ADA))], [])


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        (f"Bearer {ADA}", ADA),
        (f"bearer   {ADA} ", ADA),
        (basic(f"ada:{ADA}".encode()), ADA),
        (basic(f":{ADA}".encode()), ADA),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer  ", None),
        (f"Token {ADA}", None),
        (ADA, None),
        ("Basic", None),
        ("Basic %%%", None),
        ("Basic \xe4", None),
        (basic(b"\xff:\xff"), None),
        (basic(ADA.encode()), None),
        (basic(b"ada:"), None),
    ],
)
def test_the_token_is_taken_from_the_authorization(authorization: Any, token: str | None) -> None:
    assert bearer(request(authorization)) == token
