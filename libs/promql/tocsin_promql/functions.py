"""The names of what is carried out. Whatever is not here is refused when a query is parsed."""

from tocsin_promql.aggregation import OVER_VALUES
from tocsin_promql.calls import CALLS
from tocsin_promql.instant import DATES, MATHEMATICS
from tocsin_promql.over_time import OVER_TIME

__all__ = ["AGGREGATIONS", "FUNCTIONS"]

FUNCTIONS = CALLS.keys() | OVER_TIME.keys() | MATHEMATICS.keys() | DATES.keys()
AGGREGATIONS = OVER_VALUES.keys() | {"topk", "bottomk", "quantile", "count_values"}
