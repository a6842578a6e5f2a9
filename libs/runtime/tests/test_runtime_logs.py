"""Log lines: one object each, harmless in a terminal, without secrets, for our loggers and everybody's."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tocsin_runtime.logs import _safe, configure_logging

Lines = Callable[[], list[dict[str, Any]]]
Configure = Callable[[Literal["json", "pretty"], str], StringIO]

HOSTILE = "\x1b[2J\x1b]8;;http://evil\x07\u202edeorder\u2066\u061c\x9b31m\x00\x7f\u2028\ufeff\ud800"
NEVER = {chr(code) for code in (*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F))} - {"\t"}
NEVER |= set("\u061c\u200b\u200e\u200f\u2028\u2029\ufeff\u2066\u2067\u2068\u2069\ud800")


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configure(style: Literal["json", "pretty"], at: str) -> StringIO:
        out = StringIO()
        monkeypatch.setattr(sys, "stderr", out)
        configure_logging(style, at)
        return out

    yield configure
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(out: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().splitlines()]


def test_a_line_is_one_object_with_its_time_and_level(configured: Configure) -> None:
    out = configured("json", "info")
    structlog.get_logger("x").warning("paged", incident="inc1", round=2, ok=True, none=None, share=0.5, city="Zürich")
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "paged", "level": "warning", "round": 2, "incident": "inc1", "ok": True, "none": None, "share": 0.5,
        "city": "Zürich",
    }  # fmt: skip
    assert "Zürich" in out.getvalue()


@pytest.mark.parametrize("style", ["json", "pretty"])
@pytest.mark.parametrize(
    "value",
    [
        HOSTILE,
        [HOSTILE],
        {"a": {HOSTILE: (HOSTILE,)}},
        ValueError(HOSTILE),
        {HOSTILE},
        HOSTILE.encode(errors="replace"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_in_a_value_reaches_the_terminal(
    configured: Configure, style: Literal["json", "pretty"], value: object
) -> None:
    out = configured(style, "info")
    structlog.get_logger("x").info("seen", value=value)
    assert not NEVER & set(out.getvalue())
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_nothing_in_an_exception_reaches_the_terminal(configured: Configure, style: Literal["json", "pretty"]) -> None:
    out = configured(style, "info")
    for log in (structlog.get_logger("x"), logging.getLogger("foreign")):
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.exception("failed")
    assert not NEVER & set(out.getvalue())
    assert "deorder" in out.getvalue()


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_nobody_can_forge_a_second_line(configured: Configure, style: Literal["json", "pretty"]) -> None:
    out = configured(style, "info")
    structlog.get_logger("x").info("seen", value='ok\n{"event": "forged"}', other=["a\nb"])
    logging.getLogger("foreign").warning("seen %s", "ok\nforged")
    assert len(out.getvalue().splitlines()) == 2


ANYTHING = st.recursive(
    st.none() | st.floats() | st.text(st.characters()) | st.integers() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=10,
)


@given(ANYTHING)
def test_any_value_becomes_harmless_json(value: object) -> None:
    text = json.dumps(_safe(value), ensure_ascii=False, allow_nan=False)
    assert not NEVER & set(text)
    text.encode()


def test_what_is_long_is_cut(configured: Configure) -> None:
    out = configured("json", "info")
    structlog.get_logger("x").info("seen", value="a" * 1_000_000, inside=[{"b": "c" * 1_000_000}])
    (line,) = lines(out)
    assert len(out.getvalue()) < 10_000
    assert line["value"].endswith("a…")


def test_a_traceback_is_structured_and_shows_no_variables(configured: Configure) -> None:
    out = configured("json", "info")

    def fail() -> None:
        password = "canary"
        raise RuntimeError(f"after {len(password)}")

    try:
        fail()
    except RuntimeError as error:
        structlog.get_logger("x").error("failed", exc_info=error)
    (line,) = lines(out)
    (exception,) = line["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("RuntimeError", "after 6")
    assert [frame["name"] for frame in exception["frames"]][-1] == "fail"
    assert "canary" not in out.getvalue()


def test_a_traceback_for_people_shows_no_variables(configured: Configure) -> None:
    out = configured("pretty", "info")
    password = "can" + "ary"
    try:
        raise RuntimeError(f"after {len(password)}")
    except RuntimeError:
        structlog.get_logger("x").exception("failed")
    assert "Traceback (most recent call last)" in out.getvalue()
    assert "canary" not in out.getvalue()


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_a_secret_prints_as_stars(configured: Configure, style: Literal["json", "pretty"]) -> None:
    out = configured(style, "info")
    secret = SecretStr("canary")
    structlog.get_logger("x").info("seen", token=secret, inside={"headers": [secret]})
    logging.getLogger("foreign").warning("seen %s", secret)
    assert "canary" not in out.getvalue()
    assert out.getvalue().count("**********") == 3


def test_loggers_of_the_libraries_write_the_same_lines(configured: Configure) -> None:
    out = configured("json", "info")
    logging.getLogger("nats").warning("lost %d of %s", 3, "10")
    logging.getLogger("httpx").info("GET https://hooks.example/T000/canary")
    try:
        raise OSError(5, "broken")
    except OSError:
        logging.getLogger("asyncio").exception("bad")
    first, second = lines(out)
    assert (first["event"], first["level"]) == ("lost 3 of 10", "warning")
    assert second["exception"][0]["exc_type"] == "OSError"
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_written(configured: Configure, level: str, seen: int) -> None:
    out = configured("json", level)
    log = structlog.get_logger("x")
    for write in (log.debug, log.info, log.warning, log.error):
        write("seen")
    assert len(lines(out)) == seen


def test_setting_up_twice_does_not_write_twice(configured: Configure) -> None:
    configured("json", "info")
    out = configured("json", "info")
    logging.getLogger("foreign").warning("once")
    assert len(lines(out)) == 1


def test_a_number_that_is_none_stays_json(configured: Configure) -> None:
    out = configured("json", "info")
    structlog.get_logger("x").info("seen", value=float("nan"), more=[float("inf")])
    assert (lines(out)[0]["value"], lines(out)[0]["more"]) == ("nan", ["inf"])
