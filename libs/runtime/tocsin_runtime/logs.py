"""Structured logs: one JSON object a line, or a line for people. Control characters never reach a terminal."""

import io
import logging
import math
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

__all__ = ["configure_logging"]

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LONGEST = 4000


def configure_logging(style: Literal["json", "pretty"], level: str) -> None:
    """Set up structlog and the standard library's logging alike. Lines go to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if style == "json":
        last: list[structlog.typing.Processor] = [
            # Without the frames' variables: one of them may be a secret.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            _harmless,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    else:
        colors = sys.stderr.isatty()
        last = [_harmless, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_plain_traceback)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, getattr(logging, level.upper())))


def _plain_traceback(out: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Without the frames' variables, which structlog's default shows; its message may be anybody's."""
    lines = io.StringIO()
    structlog.dev.plain_traceback(lines, error)
    out.write(_escaped(lines.getvalue()))


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _harmless(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control and direction characters, cut what is too long, at any depth."""
    for key, value in event.items():
        if key != "exc_info":  # the renderer for people makes lines of it
            event[key] = _safe(value)
    if isinstance(text := event.get("event"), str):
        event["event"] = text.replace(
            "\n", "\\n"
        )  # of a library's logger; the renderer for people would print it as it is
    return event


def _safe(value: Any) -> Any:
    match value:
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else str(value)  # NaN is no JSON
        case str():
            safe = _escaped(value)
            return safe if len(safe) <= _LONGEST else safe[:_LONGEST] + "…"
        case Mapping():
            return {_safe(str(name)): _safe(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_safe(inner) for inner in value]
        case _:
            return _safe(str(value))
