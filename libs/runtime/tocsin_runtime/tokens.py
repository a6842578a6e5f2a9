"""Access tokens: who comes with which one. Only hashes are kept; a token itself is shown once, when it is made."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from tocsin_schemas.text import Name

__all__ = ["HOW_TO_GET_ONE", "Tokens", "TokensError", "bearer", "hash_of", "new_token", "read_tokens", "token_line"]

log = structlog.get_logger(__name__)

HOW_TO_GET_ONE = "an access token is needed; `tocsin tokens add NAME` makes one"

_TOKEN = re.compile(r"tcs_[A-Za-z0-9_-]{43}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = TypeAdapter(Name)
_LARGEST_FILE = 1024 * 1024


class TokensError(ValueError):
    """A line of the file says nothing. The message names it by its number, never by what stands there."""


def new_token() -> str:
    """A token that nobody has yet: 256 random bits."""
    return f"tcs_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> str:
    """What is kept of it: 64 hex digits. A token is random, so a plain hash cannot be turned back by guessing."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_line(name: str, digest: str) -> str:
    """The line of the file. Raises TokensError where this cannot be a name there."""
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise TokensError(f"the name: {reason}") from None
    if name != name.strip() or name.startswith("#"):
        raise TokensError("the name: it begins with '#', or begins or ends with a space")
    return f"{name} sha256:{digest}"


def read_tokens(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """(name, hash) of each line that says so, and what is wrong with the others. A name may stand there twice."""
    known, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        stated = line.strip()
        if not stated or stated.startswith("#"):
            continue
        name, _, last = stated.rpartition(" ")
        found = _HASH.fullmatch(last)
        try:
            if found is None:
                raise TokensError("it is not `NAME sha256:` and 64 hex digits")
            token_line(name.strip(), found[1])
        except TokensError as error:
            wrong.append(f"line {number}: {error}")
        else:
            known.append((name.strip(), found[1]))
    return known, wrong


@dataclass(frozen=True, slots=True)
class _Read:
    """What stood in the file, and how the file looked when it was read."""

    stamp: object
    known: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


_NOTHING = _Read(None)


class Tokens:
    """Who comes with which access token: a file with one `NAME sha256:HEX` a line ('#' comments), read again when it
    changes.

    Without a file nobody comes in. A line that is wrong lets nobody in; the others still do, and the log says which.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._read = path, _NOTHING
        self.problem()  # what is wrong is said at the start already

    def who(self, token: str) -> str | None:
        """Whose token this is."""
        if not _TOKEN.fullmatch(token):
            return None
        digest, found = hash_of(token), None
        for name, known in self._now().known:  # all of them, so that the time taken says nothing
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def hashes(self, name: str) -> tuple[str, ...]:
        """The hashes of this name's tokens, none where they were revoked. Keys for what must end with the token."""
        return tuple(known for owner, known in self._now().known if owner == name)

    def problem(self) -> str | None:
        """What is wrong with the file: which line, or why it cannot be read. That there is none is no problem: nobody
        was to come in."""
        return self._now().problem

    def _now(self) -> _Read:
        if self._path is None:
            return _NOTHING
        stamp = _stamp(self._path)
        if self._read.stamp != stamp:
            before, self._read = self._read.problem, _read(self._path, stamp)
            if self._read.problem not in (None, before):
                log.error("access tokens", problem=self._read.problem)
        return self._read


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path, stamp: object) -> _Read:
    try:
        with path.open("rb") as file:
            body = file.read(_LARGEST_FILE + 1)
        if len(body) > _LARGEST_FILE:
            return _Read(stamp, problem=f"{path}: it is larger than {_LARGEST_FILE} bytes")
        known, wrong = read_tokens(body.decode("utf-8"))
    except FileNotFoundError:
        return _Read(stamp)
    except OSError as error:
        return _Read(stamp, problem=f"{path}: it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return _Read(stamp, problem=f"{path}: it is not UTF-8")
    return _Read(stamp, tuple(known), f"{path}, {wrong[0]}" if wrong else None)


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer TOKEN`, or of Basic with the token as the password; none without one."""
    stated = request.headers.getlist("authorization")
    if len(stated) != 1:  # of two, another reader could take the other one
        return None
    scheme, _, given = stated[0].partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip() or None
        case "basic":
            try:
                _, colon, password = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
            except ValueError:  # no base64, or no UTF-8 in it
                return None
            return password if colon and password else None
        case _:
            return None
