"""Parsing PromQL: the grammar is the parser's (promql-parser); what we do not carry out is refused here, by name.

So an expression either means what it means in Prometheus, or it is an error before anything is watched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import promql_parser as parser

from tocsin_promql.errors import PromQLError
from tocsin_promql.functions import AGGREGATIONS, FUNCTIONS
from tocsin_promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Matching,
    Negation,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    Window,
    matcher,
)
from tocsin_promql.patterns import PatternError, compile_pattern

__all__ = ["LOOKBACK", "MAX_QUERY", "MAX_STEPS", "PromQLError", "Query", "parse"]

LOOKBACK = timedelta(minutes=5)
"""How old a sample may be to count as the present value (Prometheus' `query.lookback-delta`)."""

MAX_QUERY = 4_000
MAX_STEPS = 11_000
"""How often the inside of subqueries is evaluated at most, subqueries within subqueries multiplied."""

_MAX_NESTING = 60
_MAX_OPERATORS = 150
_DEFAULT_STEP = 60_000
_LONGEST = timedelta(days=3 * 366)

Compare = Literal["=", "!=", "=~", "!~"]
_COMPARES: dict[str, Compare] = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
_QUOTED_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_MATCHERS = re.compile(r"\{[^}]*\}")
_OPERATOR = re.compile(r"[-+*/%^]|[<>=!]+|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_NEGATIVE_TIME = re.compile(r"@\s*-")
_NAMED = re.compile(r"'([^']+)'")
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression. `lookback` is how far into the past it looks, all ranges and offsets added up."""

    text: str
    root: Node
    lookback: timedelta


def parse(text: str) -> Query:
    """Raises PromQLError for what is no PromQL, for what is not carried out, and for what has no value at a moment."""
    _check_size(text)
    try:
        tree = parser.parse(text)
    except ValueError as error:
        raise _syntax_error(text, str(error).strip()) from None
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":  # of the parser's runtime, where it met what it did not expect
            raise
        raise PromQLError("the parser cannot read this", text) from None
    root = _Conversion(text).node(tree)
    if isinstance(root, Text | Window | Subquery):
        raise PromQLError("a text or a range of samples has no value at a moment; a vector or a number is needed")
    if (steps := _steps(root)) > MAX_STEPS:
        raise PromQLError(f"subqueries of {steps} steps; at most {MAX_STEPS} are allowed")
    lookback = timedelta(milliseconds=_lookback(root)) + LOOKBACK
    if lookback > _LONGEST:
        raise PromQLError(f"looks back {lookback.days} days; at most {_LONGEST.days} are allowed")
    return Query(text, root, lookback)


class _Conversion:
    """From the parser's tree to ours; refuses what has no place in it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def node(self, given: Any) -> Node:  # the parser publishes no types for what stands inside a node
        return _CONVERSIONS[type(given).__name__](self, given)

    def refused(self, what: str, name: str) -> PromQLError:
        found = re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", self._text)
        return PromQLError(f"{what} is not carried out", self._text, found.start() if found else None)

    def paren(self, given: Any) -> Node:
        return self.node(given.expr)

    def number(self, given: Any) -> Node:
        return Number(given.val)

    def string(self, given: Any) -> Node:
        return Text(given.val)

    def negation(self, given: Any) -> Node:
        return Negation(self.node(given.expr))

    def selector(self, given: Any) -> Selector:
        if given.at is not None:
            raise self.refused("`@` (a rule looks at the present)", "@")
        if given.matchers.or_matchers:
            raise self.refused("`or` between matchers", "or")
        wanted: list[tuple[str, Compare, str]] = [
            (m.name, _COMPARES[str(m.op)], m.value) for m in given.matchers.matchers
        ]
        if given.name is not None:
            wanted.insert(0, ("__name__", "=", given.name))
        try:
            return Selector(tuple(matcher(*each) for each in wanted), _milliseconds(given.offset))
        except PatternError as error:
            raise PromQLError(str(error)) from None

    def window(self, given: Any) -> Node:
        return Window(self.selector(given.vector_selector), _milliseconds(given.range))

    def subquery(self, given: Any) -> Node:
        if given.at is not None:
            raise self.refused("`@` (a rule looks at the present)", "@")
        step = _milliseconds(given.step) or _DEFAULT_STEP
        return Subquery(self.node(given.expr), _milliseconds(given.range), step, _milliseconds(given.offset))

    def call(self, given: Any) -> Node:
        name = given.func.name
        if name not in FUNCTIONS:
            raise self.refused(f"the function {name}", name)
        arguments = tuple(self.node(each) for each in given.args)
        if name == "label_replace" and isinstance(arguments[4], Text):
            try:
                compile_pattern(arguments[4].value)
            except PatternError as error:
                raise PromQLError(f"label_replace: {error}") from None
        return Call(name, arguments)

    def aggregation(self, given: Any) -> Node:
        operation = str(given.op)
        if operation not in AGGREGATIONS:
            raise self.refused(f"the aggregation {operation}", operation)
        by = without = None
        if given.modifier is not None:
            names = tuple(given.modifier.labels)
            if given.modifier.type == parser.AggModifierType.By:
                by = names
            else:
                without = names
        parameter = None if given.param is None else self.node(given.param)
        return Aggregation(operation, self.node(given.expr), parameter, by, without)

    def binary(self, given: Any) -> Node:
        operator = str(given.op)
        if operator == "atan2":
            raise self.refused("the operator atan2", "atan2")
        left, right, modifier = self.node(given.lhs), self.node(given.rhs), given.modifier
        if modifier is None:
            return Binary(operator, left, right)
        fill = modifier.fill_values
        if fill is not None and (fill.lhs is not None or fill.rhs is not None):
            raise self.refused("`fill`", "fill")
        return Binary(operator, left, right, _matching(modifier), bool(modifier.return_bool))


_CONVERSIONS: dict[str, Callable[[_Conversion, Any], Node]] = {
    "ParenExpr": _Conversion.paren,
    "NumberLiteral": _Conversion.number,
    "StringLiteral": _Conversion.string,
    "UnaryExpr": _Conversion.negation,
    "VectorSelector": _Conversion.selector,
    "MatrixSelector": _Conversion.window,
    "SubqueryExpr": _Conversion.subquery,
    "Call": _Conversion.call,
    "AggregateExpr": _Conversion.aggregation,
    "BinaryExpr": _Conversion.binary,
}


def _matching(modifier: Any) -> Matching:
    on, ignoring = None, ()
    if modifier.matching is not None:
        names = tuple(modifier.matching.labels)
        if modifier.matching.type == parser.LabelModifierType.Include:
            on = names
        else:
            ignoring = names
    many: Literal["neither", "left", "right"] = "neither"
    if modifier.card == parser.VectorMatchCardinality.ManyToOne:
        many = "left"
    elif modifier.card == parser.VectorMatchCardinality.OneToMany:
        many = "right"
    return Matching(on, ignoring, many, tuple(modifier.group_labels or ()))


def _milliseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // timedelta(milliseconds=1)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Aggregation(inner=inner, parameter=parameter):
            return (inner,) if parameter is None else (inner, parameter)
        case Binary(left=left, right=right):
            return left, right
        case Negation(inner=inner) | Subquery(inner=inner):
            return (inner,)
        case Window(selector=selector):
            return (selector,)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def _lookback(node: Node) -> int:
    below = max(map(_lookback, _children(node)), default=0)
    match node:
        case Window(length=length):
            return below + length
        case Subquery(length=length, offset=offset):
            return below + length + max(offset, 0)
        case Selector(offset=offset):
            return below + max(offset, 0)
        case _:
            return below


def _steps(node: Node) -> int:
    """How often the innermost part is evaluated."""
    below = max(map(_steps, _children(node)), default=1)
    return below * (node.length // node.step + 1) if isinstance(node, Subquery) else below


# --- what is looked at before the parser sees it ----------------------------------------------------------------------


def _check_size(text: str) -> None:
    """The parser recurses, and a text of some thousand operators overflows its stack: that ends the process."""
    if len(text) > MAX_QUERY:
        raise PromQLError(f"{len(text)} characters; at most {MAX_QUERY} are allowed")
    bare = _bare(text)
    if (operators := len(_OPERATOR.findall(_MATCHERS.sub("", bare)))) > _MAX_OPERATORS:
        raise PromQLError(f"{operators} operators; at most {_MAX_OPERATORS} are allowed")
    if found := _NEGATIVE_TIME.search(bare):
        raise PromQLError("`@` of a time before 1970 is not carried out", text, found.start())
    depth = 0
    for offset, character in enumerate(bare):
        depth += (character in "([{") - (character in ")]}")
        if depth > _MAX_NESTING:
            raise PromQLError(f"brackets nested deeper than {_MAX_NESTING}", text, offset)


def _bare(text: str) -> str:
    """The text with blanks in place of quoted texts and comments; offsets stay."""
    return _QUOTED_OR_COMMENT.sub(lambda found: " " * len(found.group()), text)


def _syntax_error(text: str, said: str) -> PromQLError:
    """The parser gives no positions: a bracket without its partner, or the name it speaks of, is looked for."""
    offset = _unbalanced(_bare(text))
    if offset is None and (named := _NAMED.search(said)) and text.count(named[1]) == 1:
        offset = text.index(named[1])
    return PromQLError("this is no PromQL" if said == "invalid promql query" else said, text, offset)


def _unbalanced(bare: str) -> int | None:
    opened: list[tuple[str, int]] = []
    for offset, character in enumerate(bare):
        if character in "([{":
            opened.append((character, offset))
        elif character in _PAIRS and (not opened or opened.pop()[0] != _PAIRS[character]):
            return offset
    return opened[-1][1] if opened else None
