"""Summaries as stored text and back."""

from pydantic import TypeAdapter, ValidationError

from tocsin_recorder.core.summary import Summary

__all__ = ["dump_summary", "load_summary"]

_SUMMARY = TypeAdapter(Summary)


def dump_summary(summary: Summary) -> str:
    """JSON; what is as in an empty summary is left out."""
    return _SUMMARY.dump_json(summary, exclude_defaults=True).decode()


def load_summary(stored: str) -> Summary | None:
    """The summary; none where the text is not one (it was tampered with)."""
    try:
        return _SUMMARY.validate_json(stored)
    except ValidationError:
        return None
