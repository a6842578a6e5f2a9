"""Patterns mean what they mean to Prometheus, and none can keep us busy."""

import re
import time

import pytest

from tocsin_promql.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("5..", "503", True),
        ("5..", "5033", False),
        ("a|b", "ab", False),
        ("", "", True),
        ("a.c", "a\nc", True),
        ("abc$", "abc\n", False),
        (r"abc\z", "abc", True),
        ("(?i)get", "GET", True),
        (r"\d+", "\u0663", False),
        ("a{,3}", "a{,3}", True),
        ("{a}", "{a}", True),
        (r"10\.0\.(\d{1,3}\.){1}\d{1,3}", "10.0.12.9", True),
        ("([a-z]+[.])*com", "www.example.com", True),
        (r"([a-z]+\.)+com", "www.example.com", True),
        ("[a-z0-9]+(-[a-z0-9]+)*", "shop-7d9f-x2x", True),
        ("(foo|bar)+", "foobarfoo", True),
        ("[^-]+--[^-]+", "a--b", True),
        ("(?:a|b){3}", "aba", True),
        (r"/api/(v1|v2)/.+", "/api/v2/x", True),
        (r"[\w-]+@[\w.]+", "a-b@c.d", True),
    ],
)
def test_a_pattern_matches_the_whole_value(pattern: str, value: str, matches: bool) -> None:
    assert (compile_pattern(pattern).fullmatch(value) is not None) is matches


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a*)*", "(a|a)*", "(a|ab)*", "((a+)b?)*", "(.*,)*x", "(a?){50}a{50}", "(a+){20}", "(.+)+$", r"(\w+\s?)*",
     "(x+x+)+y", "([a-z]+)*", "(a|b|ab)*c", "(?i)(a|A)*c", r"(\-|-)*c", "(|a)*", "(-?[a-z]+)*", ".*.*.*.*.*.*.*x"],
)  # fmt: skip
def test_repetitions_that_could_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"take for ever|without a limit"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["a++", "a**", r"\pL", "[[:alpha:]]", "(?=a)", "(?!a)", "(?<=a)b", "(?x)a b", "(?U)a", r"(a)\1", "[a&&b]", "[a--b]",
     "(?#c)", "*a", "a)", "(a", "[a", "a{2000}", "(?P=x)", r"\u{41}", r"\<a", "a" * 501],
)  # fmt: skip
def test_what_python_would_read_differently_or_not_at_all_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"([a-z]+\.)+com", "[a-z0-9]+(-[a-z0-9]+)*", "(foo|bar)+x", ".*a.*b.*c"])
def test_what_is_taken_is_quick_on_values_made_to_be_slow(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    begun = time.perf_counter()
    for value in ("a" * 1024, "a." * 512, "a-" * 512, "foobar" * 170, "ab" * 512, "!" * 1024):
        assert compiled.fullmatch(value + "!") is None
    assert time.perf_counter() - begun < 30


def test_a_compiled_pattern_is_remembered() -> None:
    assert isinstance(compile_pattern("a.b"), re.Pattern)
    assert compile_pattern("a.b") is compile_pattern("a.b")
