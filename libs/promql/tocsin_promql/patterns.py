"""Regular expressions as Prometheus means them, on Python's `re`.

Prometheus matches with RE2: a pattern matches the whole value, `.` matches a line break too (since 3.0), and
matching takes linear time. Python's engine backtracks, so a pattern with which a hostile label value could keep it
busy for hours is refused when the query is parsed, and so is syntax that the two read differently.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["MAX_PATTERN", "PatternError", "compile_pattern"]

MAX_PATTERN = 500
_MOST_UNBOUNDED = 6
_MOST_TIMES = 10

_QUANTIFIER = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\\[]|\\.|\[(?![:.=]))*\]", re.DOTALL)
_GROUP = re.compile(r"\((?:\?P<[A-Za-z_]\w*>|\?(?:[is]+(?:-[is]+)?|-[is]+)?:)?(?!\?)")
_CLASSES = re.compile(r"\\[dDwWsSbB]")  # of ASCII only, in RE2
_WRITTEN = {"$": r"\Z", r"\z": r"\Z", "{": r"\{"}
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|[abfnrtvdDwWsSBAz]|[^\w<>])", re.ASCII | re.DOTALL)


class PatternError(ValueError):
    """A pattern that is not carried out; the message says what of it."""


@dataclass(slots=True)
class _Group:
    """What was read of a group so far: its parts, each with whether its length varies."""

    parts: list[tuple[str, bool]] = field(default_factory=list)
    unbounded: bool = False
    varies: bool = False


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, for use with `fullmatch`. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern of {len(pattern)} characters; at most {MAX_PATTERN} are allowed")
    try:
        ascii_classes = re.ASCII if _CLASSES.search(pattern) else 0
        return re.compile(_translated(pattern), re.DOTALL | ascii_classes)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"pattern {pattern[:80]!r}: {error}") from None


def _translated(pattern: str) -> str:
    """The same for `re`; checks on the way that no group is repeated in a way that makes matching explode."""
    flags = re.match(r"\(\?([is]+)\)", pattern)
    place = flags.end() if flags else 0
    written = [flags.group() if flags else ""]
    open_groups = [_Group()]
    unbounded = 0
    while place < len(pattern):
        group = open_groups[-1]
        character = pattern[place]
        if character == "(":
            part = _part(_GROUP, pattern, place)
            open_groups.append(_Group())
            written.append(part)
            place += len(part)
            continue
        closed: _Group | None = None
        if character == "[":
            part = _part(_CLASS, pattern, place)
            if any(twice in part for twice in ("&&", "--", "~~")):
                raise _unclear(pattern, place)
        elif character == "\\":
            part = _part(_ESCAPE, pattern, place)
        else:
            part = character
        if character == ")":
            if len(open_groups) == 1:
                raise _unclear(pattern, place)
            closed = open_groups.pop()
            group = open_groups[-1]
        elif character in "*+?":
            raise _unclear(pattern, place)
        place += len(part)
        written.append(_WRITTEN.get(part, part))
        quantifier = _QUANTIFIER.match(pattern, place)
        most: float = 1
        least: float = 1
        if quantifier is not None:
            least, most = _times(quantifier)
            place = quantifier.end()
            written.append(quantifier.group())
            if pattern[place : place + 1] == "?":
                place += 1
                written.append("?")
            if _QUANTIFIER.match(pattern, place):
                raise _unclear(pattern, place)
            if most == float("inf"):
                unbounded += 1
        if closed is not None and most > 1:
            _check_repeated(closed, most, pattern)
        group.parts.append((")" if closed else part, most != least or closed is not None))
        group.unbounded |= most == float("inf") or (closed is not None and closed.unbounded)
        group.varies |= most != least or part == "|" or (closed is not None and closed.varies)
    if unbounded > _MOST_UNBOUNDED:
        raise PatternError(f"pattern {pattern[:80]!r}: more than {_MOST_UNBOUNDED} repetitions without a limit")
    return "".join(written)


def _check_repeated(group: _Group, most: float, pattern: str) -> None:
    """A repeated group must leave no choice of where one round ends and the next begins."""
    if not group.varies:
        return
    if most <= _MOST_TIMES and not group.unbounded:
        return
    if any(part == ")" for part, _ in group.parts) or not (_has_border(group.parts) or _is_choice(group.parts)):
        raise PatternError(
            f"pattern {pattern[:80]!r}: a repetition inside a repetition could take for ever on some values; "
            "write it without one of them"
        )


def _has_border(parts: list[tuple[str, bool]]) -> bool:
    """Whether a round begins or ends with a fixed character that nothing else in it can match."""
    if any(part == "|" for part, _ in parts):
        return False
    for index in (0, -1):
        border, varies = parts[index]
        others = [part for place, (part, _) in enumerate(parts) if place != index % len(parts)]
        fixed = _fixed(border)
        if fixed is not None and not varies and not any(_matches(part, fixed) for part in others):
            return True
    return False


def _is_choice(parts: list[tuple[str, bool]]) -> bool:
    """Whether a round is a choice of fixed texts that begin differently."""
    texts: list[str] = [""]
    for part, varies in parts:
        fixed = _fixed(part)
        if part == "|":
            texts.append("")
        elif fixed is None or varies:
            return False
        else:
            texts[-1] += fixed
    return len({text[:1].lower() for text in texts if text}) == len(texts)


def _fixed(part: str) -> str | None:
    """The one character that the part stands for, if it is one."""
    inside = part[1:-1] if part.startswith("[") else part
    if inside.startswith("\\") and not inside[1].isalnum():
        inside = inside[1:]
    elif part in {".", "^", "$", "|", ")"}:
        return None
    return inside if len(inside) == 1 else None


def _matches(part: str, character: str) -> bool:
    return re.fullmatch(part, character, re.DOTALL | re.IGNORECASE) is not None


def _times(quantifier: re.Match[str]) -> tuple[float, float]:
    match quantifier.group()[0]:
        case "*":
            return 0, float("inf")
        case "+":
            return 1, float("inf")
        case "?":
            return 0, 1
        case _:
            least = int(quantifier[1])
            most: float = int(quantifier[3]) if quantifier[3] else (float("inf") if quantifier[2] else least)
            if least > 1000 or 1000 < most < float("inf"):
                raise PatternError(f"{quantifier.group()} repeats more than 1000 times")
            return least, most


def _part(grammar: re.Pattern[str], pattern: str, place: int) -> str:
    found = grammar.match(pattern, place)
    if found is None:
        raise _unclear(pattern, place)
    return found.group()


def _unclear(pattern: str, place: int) -> PatternError:
    return PatternError(f"pattern {pattern[:80]!r}: {pattern[place : place + 8]!r} is not carried out")
