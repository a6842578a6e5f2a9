"""A document's events from ruamel.yaml, which has the last word on what a document is and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event

from tocsin_playbook.problems import Position


class NoYamlError(Exception):
    """The text is no YAML: where, what is wrong and what was expected."""

    def __init__(self, at: Position, message: str, expected: str) -> None:
        self.at = at
        self.message = message
        self.expected = expected
        super().__init__(f"{at.line}:{at.column}: {message}; expected {expected}")


def events(text: str) -> Iterator[Event]:
    """The events of the text's documents, in order; raises NoYamlError at the place that is none."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        raise NoYamlError(at, _said(error), "YAML") from error
    except YAMLError as error:
        message = "the text holds a character that YAML does not allow"
        raise NoYamlError(Position(1, 1), message, "printable text") from error
    except (ValueError, OverflowError) as error:  # on "\UFFFFFFFF": no such character
        message = "the text holds an escape that means no character"
        raise NoYamlError(Position(1, 1), message, "a character that exists") from error


def _said(error: MarkedYAMLError) -> str:
    problem = cast("str | None", error.problem) or "this is no YAML"
    if "'\\t'" in problem:
        return "a tab is used for indentation or between values"
    said = problem.splitlines()[0][:200]
    return said.replace("('<stream end>',)", "the end of the text").replace("'<stream end>'", "the end of the text")
