"""As many items as possible are met, each by a moment of its own."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin_rehearsal.cases.compare.matching import matching

CANDIDATES = st.lists(st.lists(st.integers(0, 4), unique=True, max_size=4), max_size=5)


def tried(candidates: list[list[int]], order: tuple[int, ...], taken: frozenset[int]) -> int:
    """The most that can be met, by trying everything."""
    if not order:
        return 0
    first, rest = order[0], order[1:]
    left_out = tried(candidates, rest, taken)
    return max([left_out, *(1 + tried(candidates, rest, taken | {m}) for m in candidates[first] if m not in taken)])


@given(CANDIDATES)
def test_no_other_choice_meets_more(candidates: list[list[int]]) -> None:
    given_out = matching(candidates)
    used = [moment for moment in given_out if moment is not None]
    assert len(used) == len(set(used))
    assert all(moment is None or moment in candidates[item] for item, moment in enumerate(given_out))
    assert len(used) == tried(candidates, tuple(range(len(candidates))), frozenset())


def test_a_long_chain_of_exchanges_is_found() -> None:
    candidates = [[number, number + 1] for number in range(2000)] + [[0]]
    assert None not in matching(candidates)
