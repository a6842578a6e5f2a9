"""From text to a typed playbook, or to problems that say where and what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from tocsin_playbook.document import MAX_BYTES, read_document, to_data
from tocsin_playbook.messages import explain
from tocsin_playbook.model import Playbook
from tocsin_playbook.positions import Positions
from tocsin_playbook.problems import PlaybookError, Problem


@dataclass(frozen=True, slots=True)
class Loaded:
    """A playbook, its revision, and where everything stands in its text."""

    playbook: Playbook
    revision: str
    positions: Positions
    source: str


def load(text: str | bytes, *, source: str = "playbook.yaml") -> Loaded:
    """Read a playbook. `source` is the file's name in messages. Raises PlaybookError and nothing else.

    What is loaded is well formed and typed. Whether its names exist, its expressions parse and its
    branches can be reached is asked by `lint`; `load_checked` asks both.
    """
    normalised = _normalised(text, source)
    root = read_document(normalised, source)
    positions = Positions(root, normalised)
    try:
        playbook = Playbook.model_validate(to_data(root))
    except ValidationError as error:
        problems = [explain(each, positions, source) for each in error.errors(include_url=False, include_input=False)]
        raise PlaybookError(list(dict.fromkeys(problems))) from None
    return Loaded(playbook, revision_of(normalised), positions, source)


def revision_of(text: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the normalised text in UTF-8.

    Normalised: without a byte order mark, lines ended by a single newline, and exactly one newline at the
    end. So a checkout on another system is the same revision, and every other change is a new one.
    """
    return hashlib.sha256(_one_ending(text).encode()).hexdigest()[:12]


def _normalised(text: str | bytes, source: str) -> str:
    if len(text) > MAX_BYTES:
        raise _refused(source, 1, 1, f"the document is larger than {MAX_BYTES} bytes", "a smaller playbook")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raw = error.object
            line = raw.count(b"\n", 0, error.start) + 1
            column = error.start - raw.rfind(b"\n", 0, error.start)
            raise _refused(source, line, column, "the text is not UTF-8", "UTF-8") from None
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - text.rfind("\n", 0, error.start)
        raise _refused(source, line, column, "the text holds half a surrogate pair", "UTF-8") from None
    if size > MAX_BYTES:
        raise _refused(source, 1, 1, f"the document is larger than {MAX_BYTES} bytes", "a smaller playbook")
    return _one_ending(text)


def _one_ending(text: str) -> str:
    unified = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return unified.rstrip("\n") + "\n"


def _refused(source: str, line: int, column: int, message: str, expected: str) -> PlaybookError:
    return PlaybookError([Problem(source, line, column, (), message, expected)])
