"""A query is read, or refused with what is wrong and where."""

from datetime import timedelta

import pytest

from tocsin_promql import PromQLError, parse


def refused(text: str) -> PromQLError:
    with pytest.raises(PromQLError) as error:
        parse(text)
    return error.value


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("sum(rate(a[5m])", "unclosed left parenthesis", (1, 4)),
        ("a{\n  b='c'", "unexpected end of input", (1, 2)),
        ("a +\n  b) + c", "unexpected right parenthesis", (2, 4)),
        ("a b", "this is no PromQL", None),
        ("1 + nosuch(a)", "unknown function with name 'nosuch'", (1, 5)),
        ("sum(a) +\n holt_winters(a[5m], 1, 1)", "holt_winters", (2, 2)),
        ("mad_over_time(a[5m])", "mad_over_time is not carried out", (1, 1)),
        ("1 + histogram_avg(a)", "histogram_avg is not carried out", (1, 5)),
        ("limitk(2, a)", "limitk is not carried out", (1, 1)),
        ("a atan2 b", "atan2 is not carried out", (1, 3)),
        ("a @ 100", "a rule looks at the present", (1, 3)),
        ("rate(a[5m] @ end())", "a rule looks at the present", (1, 12)),
        ("a[5m:1m] @ start()", "a rule looks at the present", (1, 10)),
        ("a @ -5", "before 1970", (1, 3)),
        ('a{b="c" or d="e"}', "`or` between matchers is not carried out", (1, 9)),
        ("a + fill(0) b", "`fill` is not carried out", (1, 5)),
        ("rate(a)", "expected type matrix", (1, 1)),
        ("a[5m]", "no value at a moment", None),
        ('"text"', "no value at a moment", None),
        ("", "no expression found in input", None),
    ],
)
def test_what_is_refused_says_what_and_where(text: str, said: str, place: tuple[int, int] | None) -> None:
    error = refused(text)
    assert said in str(error)
    assert place == (None if error.line is None else (error.line, error.column))
    if place is not None:
        assert str(error).startswith(f"{place[0]}:{place[1]}: ")


@pytest.mark.parametrize("text", ["(" * 100_000, "-" * 3_900 + "a", "a" + "+a" * 1_500, "a" + " and a" * 500])
def test_what_would_overflow_the_parsers_stack_is_refused_before_it_sees_it(text: str) -> None:
    assert "at most" in str(refused(text)) or "nested deeper" in str(refused(text))


def test_brackets_are_bounded() -> None:
    assert parse("(" * 60 + "a" + ")" * 60)
    assert refused("(" * 61 + "a" + ")" * 61).offset == 60


def test_brackets_in_quoted_texts_and_comments_are_not_counted() -> None:
    assert parse('a{b="' + "((((" * 50 + '"} # ' + "((((" * 50)


@pytest.mark.parametrize("pattern", ["(a+)+", "x" * 501, r"\\pL+", "[[:alpha:]]"])
def test_patterns_are_judged_when_the_query_is_read(pattern: str) -> None:
    assert "pattern" in str(refused(f'a{{b=~"{pattern}"}}'))
    assert "pattern" in str(refused(f'label_replace(a, "b", "$1", "c", "{pattern}")'))


@pytest.mark.parametrize(
    ("text", "lookback"),
    [
        ("1", timedelta(minutes=5)),
        ("a", timedelta(minutes=5)),
        ("a offset 1h", timedelta(minutes=65)),
        ("a offset -1h", timedelta(minutes=5)),
        ("rate(a[10m]) > rate(b[1h] offset 1d)", timedelta(days=1, minutes=65)),
        ("max_over_time(rate(a[5m])[1h:1m] offset 2h)", timedelta(hours=3, minutes=10)),
    ],
)
def test_a_query_knows_how_far_it_looks_back(text: str, lookback: timedelta) -> None:
    assert parse(text).lookback == lookback


def test_what_looks_back_for_centuries_is_refused() -> None:
    assert "looks back" in str(refused("rate(a[999y])"))


def test_subqueries_have_a_bounded_number_of_steps_all_together() -> None:
    assert parse("max_over_time(a[1h:1s])")
    assert "steps; at most" in str(refused("max_over_time(min_over_time(a[1h:10s])[1h:10s])"))
