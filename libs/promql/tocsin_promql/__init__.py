"""PromQL over in-memory series: parse, store, evaluate. Pure: no I/O and no clock; times are given, in milliseconds."""

from tocsin_promql.errors import EvaluationError, PromQLError
from tocsin_promql.evaluate import evaluate
from tocsin_promql.exposition import ExpositionError, parse_exposition
from tocsin_promql.notation import NotationError, expand, load
from tocsin_promql.parse import Query, parse
from tocsin_promql.series import STALE, Sample, SeriesStore, StoreFullError, is_stale
from tocsin_promql.values import Result, Scalar, String, Vector

__all__ = [
    "STALE",
    "EvaluationError",
    "ExpositionError",
    "NotationError",
    "PromQLError",
    "Query",
    "Result",
    "Sample",
    "Scalar",
    "SeriesStore",
    "StoreFullError",
    "String",
    "Vector",
    "evaluate",
    "expand",
    "is_stale",
    "load",
    "parse",
    "parse_exposition",
]
