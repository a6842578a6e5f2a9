"""One alert on its ladder: `for`, severity, `clear`, `keep_firing_for`."""

import math
from collections.abc import Sequence
from datetime import timedelta

import pytest
from detector_world import at, rung

from tocsin_detector.core.ladder import NOT_HOLDING, Climb, climb
from tocsin_playbook.model.detect import Rung

LADDER = (rung("P1", above=20, **{"for": "10s"}), rung("P2", above=10, **{"for": "30s"}))


def after(*seen: tuple[float, float | None], ladder: Sequence[Rung] = LADDER, keep: float = 0) -> Climb:
    """The climb after seeing these values at these seconds."""
    state = NOT_HOLDING
    for seconds, value in seen:
        state = climb(state, ladder, value, at(seconds), timedelta(seconds=keep))
    return state


def test_a_threshold_counts_once_it_has_held_for_its_duration() -> None:
    assert after((0, 25), (9.999, 25)).rung is None
    assert after((0, 25), (10, 25)).rung == 0


def test_a_threshold_without_duration_counts_at_once() -> None:
    assert after((0, 11), ladder=(rung("P1", above=10),)).rung == 0


def test_a_break_begins_the_duration_anew() -> None:
    assert after((0, 25), (9, 5), (10, 25), (19, 25)).rung is None
    assert after((0, 25), (9, 5), (10, 25), (20, 25)).rung == 0


def test_a_series_that_is_missing_once_begins_the_duration_anew() -> None:
    assert after((0, 25), (9, None), (10, 25), (19, 25)).rung is None


def test_a_milder_threshold_holds_while_a_harder_one_does() -> None:
    state = after((0, 25), (9, 15), (30, 15))
    assert state.rung == 1
    assert state.started_at == at(0)


def test_the_most_severe_of_the_thresholds_that_have_lasted_gives_the_severity() -> None:
    assert after((0, 15), (30, 15)).rung == 1
    assert after((0, 15), (30, 25)).rung == 1
    assert after((0, 15), (30, 25), (40, 25)).rung == 0


def test_it_goes_down_a_rung_when_only_the_milder_threshold_holds() -> None:
    assert after((0, 25), (40, 25), (41, 15)).rung == 1


def test_it_stays_up_while_the_milder_threshold_holds_but_has_not_lasted_yet() -> None:
    assert after((0, 25), (10, 25), (11, 15)).rung == 0
    assert after((0, 25), (10, 25), (11, 15), (30, 15)).rung == 1


def test_clear_keeps_it_firing_until_the_value_is_beyond_it() -> None:
    ladder = (rung("P1", above=10, clear=5),)
    assert after((0, 7), ladder=ladder).rung is None
    assert after((0, 11), (1, 7), ladder=ladder).rung == 0
    assert after((0, 11), (1, 5), ladder=ladder).rung is None


def test_below_is_the_mirror_image() -> None:
    ladder = (rung("P1", below=1, clear=3), rung("P2", below=2))
    assert after((0, 0.5), ladder=ladder).rung == 0
    assert after((0, 0.5), (1, 2.9), ladder=ladder).rung == 0
    assert after((0, 0.5), (1, 3), ladder=ladder).rung is None
    assert after((0, 1.5), ladder=ladder).rung == 1


def test_it_goes_on_for_keep_firing_for_after_the_last_threshold_ceased() -> None:
    ladder = (rung("P1", above=10),)
    assert after((0, 11), (10, 1), (14.9, 1), ladder=ladder, keep=5).rung == 0
    assert after((0, 11), (10, 1), (15, 1), ladder=ladder, keep=5).rung is None


def test_crossing_again_meanwhile_begins_keep_firing_for_anew() -> None:
    ladder = (rung("P1", above=10),)
    assert after((0, 11), (10, 1), (12, 11), (14, 1), (18, 1), ladder=ladder, keep=5).rung == 0
    assert after((0, 11), (10, 1), (12, 11), (14, 1), (19, 1), ladder=ladder, keep=5).rung is None


@pytest.mark.parametrize("value", [math.nan, -math.inf, None])
def test_what_is_no_number_or_far_below_crosses_nothing(value: float | None) -> None:
    assert after((0, value), ladder=(rung("P1", above=10),)).is_idle


def test_infinity_crosses_every_threshold() -> None:
    assert after((0, math.inf), ladder=(rung("P1", above=10),)).rung == 0
    assert after((0, -math.inf), ladder=(rung("P1", below=10),)).rung == 0


def test_a_firing_rung_that_was_not_watched_climbing_goes_on_as_long_as_it_holds() -> None:
    restored = Climb((None, None), rung=0, started_at=at(-100))
    assert climb(restored, LADDER, 25, at(0), timedelta()).rung == 0
    assert climb(restored, LADDER, 5, at(0), timedelta()).rung is None


def test_the_start_of_an_alert_is_when_its_first_threshold_began_to_hold() -> None:
    assert after((0, 5), (5, 25), (15, 25)).started_at == at(5)
    assert after((0, 15), (25, 25), (35, 25)).started_at == at(0)
