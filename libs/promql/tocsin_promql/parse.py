"""Parsing PromQL: the grammar is the parser's (promql-parser); what we do not carry out is refused here, by name.

So an expression either means what it means in Prometheus, or it is an error before anything is watched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import promql_parser as parser

__all__ = ["LOOKBACK", "PromQLError", "Query", "parse"]

LOOKBACK = timedelta(minutes=5)
"""How old a sample may be to count as the present value (Prometheus' `query.lookback-delta`)."""

_LONGEST = 4_000
_DEEPEST = 60

FUNCTIONS = frozenset(
    {
        "abs", "absent", "absent_over_time", "avg_over_time", "ceil", "changes", "clamp", "clamp_max", "clamp_min",
        "count_over_time", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "delta", "deriv", "exp",
        "floor", "histogram_quantile", "hour", "idelta", "increase", "irate", "label_join", "label_replace",
        "last_over_time", "ln", "log10", "log2", "max_over_time", "min_over_time", "minute", "month",
        "predict_linear", "present_over_time", "quantile_over_time", "rate", "resets", "round", "scalar", "sgn",
        "sort", "sort_desc", "sqrt", "stddev_over_time", "stdvar_over_time", "sum_over_time", "time", "timestamp",
        "vector", "year",
    }
)  # fmt: skip
AGGREGATIONS = frozenset(
    {
        "sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile",
        "count_values",
    }
)  # fmt: skip


class PromQLError(ValueError):
    """An expression that cannot be carried out; the message says what of it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression. `lookback` is how far into the past it looks, all ranges and offsets added up."""

    text: str
    root: Any  # a node of promql_parser, which publishes no types
    lookback: timedelta


def parse(text: str) -> Query:
    """Raises PromQLError for what is no PromQL and for what is not carried out."""
    if len(text) > _LONGEST:
        raise PromQLError(f"{len(text)} characters; at most {_LONGEST} are allowed")
    if _depth(text) > _DEEPEST:
        raise PromQLError(f"brackets nested deeper than {_DEEPEST}")
    try:
        root = parser.parse(text)
    except ValueError as error:
        raise PromQLError(str(error)) from None
    for node in walk(root):
        _check(node)
    return Query(text, root, _lookback(root) + LOOKBACK)


def walk(node: Any) -> Iterator[Any]:
    """The node and everything under it."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Any) -> Iterator[Any]:
    match node:
        case parser.AggregateExpr():
            yield node.expr
            if node.param is not None:
                yield node.param
        case parser.BinaryExpr():
            yield node.lhs
            yield node.rhs
        case parser.UnaryExpr() | parser.ParenExpr() | parser.SubqueryExpr():
            yield node.expr
        case parser.MatrixSelector():
            yield node.vector_selector
        case parser.Call():
            yield from node.args
        case _:
            return


def _check(node: Any) -> None:
    match node:
        case parser.Call() if node.func.name not in FUNCTIONS:
            raise PromQLError(f"the function {node.func.name} is not carried out")
        case parser.AggregateExpr() if str(node.op) not in AGGREGATIONS:
            raise PromQLError(f"the aggregation {node.op} is not carried out")
        case parser.VectorSelector() if node.matchers.or_matchers:
            raise PromQLError("matchers joined with `or` are not carried out")
        case parser.VectorSelector() | parser.SubqueryExpr() if node.at is not None:
            raise PromQLError("`@` is not carried out: a rule looks at the present")
        case parser.BinaryExpr() if str(node.op) == "atan2":
            raise PromQLError("the operator atan2 is not carried out")
        case _:
            return


def _lookback(node: Any) -> timedelta:
    below: timedelta = max((_lookback(child) for child in children(node)), default=timedelta(0))
    own: timedelta = timedelta(0)
    match node:
        case parser.MatrixSelector():
            own = node.range or own
        case parser.SubqueryExpr():
            own = (node.range or own) + max(node.offset or own, own)
        case parser.VectorSelector():
            own = max(node.offset or own, own)
        case _:
            pass
    return own + below


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
