"""What follows from alerts of other systems, as Alertmanager would have it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from detector_world import SHOP, START, at, fired, resolved, story

from tocsin_detector.core.foreign import decide_expired, decide_replaced, decide_request
from tocsin_detector.core.known import AlertEvent, KnownAlerts, Word
from tocsin_detector.core.posted import MAX_ALERTS, read_posted
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertFired
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.moments import format_moment

LABELS = {"alertname": "Down", "severity": "P1"}
MARK = fingerprint(Labels(LABELS))


class Posting:
    """A sender and what became of its alerts."""

    def __init__(self, known: KnownAlerts | None = None) -> None:
        self.known = known or KnownAlerts()
        self.events: list[AlertEvent] = []

    def post(self, seconds: float, *alerts: dict[str, Any]) -> list[str]:
        """At this second; what it told."""
        good, bad = read_posted(list(alerts))
        assert not bad
        return self._tell(seconds, decide_request(good, self.known, "api", at(seconds)))

    def expire(self, seconds: float, grace: float = 15) -> list[str]:
        return self._tell(seconds, decide_expired(self.known, at(seconds), timedelta(seconds=grace)))

    def _tell(self, seconds: float, events: Any) -> list[str]:
        self.known = self.known.with_words(Word(event, at(seconds)) for event in events)
        self.events += events
        return story(events)

    @property
    def last(self) -> AlertFired:
        return next(event for event in reversed(self.events) if isinstance(event, AlertFired))


def alert(**given: Any) -> dict[str, Any]:
    return {"labels": LABELS, **{name: format_moment(v) if isinstance(v, datetime) else v for name, v in given.items()}}


# --- firing and resolving ---------------------------------------------------------------------------------------------


def test_an_alert_without_times_fires_now_for_five_minutes() -> None:
    posting = Posting()
    assert posting.post(0, alert()) == ["fired P1"]
    assert (posting.last.starts_at, posting.last.expires_at) == (START, at(300))
    assert posting.last.fingerprint == MARK


def test_an_end_in_the_past_resolves() -> None:
    posting = Posting()
    posting.post(0, alert())
    assert posting.post(10, alert(endsAt=at(9))) == ["resolved"]


def test_an_end_at_this_very_moment_resolves() -> None:
    posting = Posting()
    posting.post(0, alert())
    assert posting.post(10, alert(endsAt=at(10))) == ["resolved"]


def test_a_resolution_that_is_sent_again_is_not_told_again() -> None:
    posting = Posting()
    posting.post(0, alert())
    posting.post(10, alert(endsAt=at(9)))
    assert [posting.post(second, alert(endsAt=at(9))) for second in (11, 60)] == [[], []]


def test_the_end_of_an_alert_that_nobody_knows_is_passed_over() -> None:
    assert Posting().post(10, alert(endsAt=at(9))) == []


def test_a_start_in_the_future_counts_as_now() -> None:
    posting = Posting()
    posting.post(0, alert(startsAt=at(3 * 3600)))
    assert posting.last.starts_at == START


def test_a_start_ten_years_ago_is_kept() -> None:
    posting = Posting()
    posting.post(0, alert(startsAt=START - timedelta(days=3650)))
    assert posting.last.starts_at == START - timedelta(days=3650)


def test_an_end_in_the_distant_future_is_a_lease_of_thirty_days() -> None:
    posting = Posting()
    posting.post(0, alert(endsAt="9999-12-31T23:59:59Z"))
    assert posting.last.expires_at == START + timedelta(days=30)


def test_the_first_and_the_last_of_one_request_are_both_taken() -> None:
    posting = Posting()
    assert posting.post(0, alert(), alert(endsAt=at(-1))) == ["fired P1", "resolved"]
    assert posting.post(1, alert(), alert(endsAt=at(0)), alert()) == ["fired P1", "resolved", "fired P1"]
    assert len({event.episode for event in posting.events}) == 3


def test_flapping_makes_an_episode_of_each_firing() -> None:
    posting = Posting()
    for second in range(0, 20, 2):
        posting.post(second, alert())
        posting.post(second + 1, alert(endsAt=at(second + 1)))
    assert story(posting.events) == ["fired P1", "resolved"] * 10
    assert len({event.episode for event in posting.events}) == 10


def test_the_summary_is_the_annotation_of_that_name_else_the_description_else_the_name() -> None:
    for annotations, summary in (
        ({"summary": "s", "description": "d"}, "s"),
        ({"description": "d"}, "d"),
        ({}, "Down"),
    ):
        posting = Posting()
        posting.post(0, alert(annotations=annotations))
        assert posting.last.summary == summary


# --- leases -----------------------------------------------------------------------------------------------------------


def test_only_a_renewal_that_prolongs_the_lease_enough_is_told() -> None:
    posting = Posting()
    posting.post(0, alert(endsAt=at(240)))
    assert posting.post(15, alert(endsAt=at(255))) == []
    assert posting.post(60, alert(endsAt=at(300))) == ["fired P1"]
    assert len({event.episode for event in posting.events}) == 1


def test_prometheus_every_second_is_no_flood() -> None:
    posting = Posting()
    for second in range(600):
        posting.post(second, alert(startsAt=at(0), endsAt=at(second + 240)))
    assert len(posting.events) < 20


def test_a_shorter_lease_does_not_shorten_the_one_that_is_known() -> None:
    posting = Posting()
    posting.post(0, alert(endsAt=at(240)))
    assert posting.post(1, alert(endsAt=at(30))) == []
    assert posting.expire(200) == []


def test_a_lease_that_nobody_renews_ends_after_its_grace() -> None:
    posting = Posting()
    posting.post(0, alert(endsAt=at(60)))
    assert posting.expire(60 + 12 + 14.9) == []
    assert posting.expire(60 + 12 + 15) == ["expired"]
    assert posting.expire(90) == []


def test_no_lease_ends_before_the_latest_end_that_its_sender_gave() -> None:
    for every in (1, 7, 13, 30, 59):
        posting, promised = Posting(), at(0)
        for second in range(0, 600, every):
            promised = at(second + 240)
            posting.post(second, alert(startsAt=at(0), endsAt=promised))
        assert posting.expire((promised - START).total_seconds() - 0.1, grace=0) == []
        assert posting.expire((promised - START).total_seconds() + 50, grace=0) == ["expired"]


def test_an_alert_that_comes_back_after_its_lease_ended_fires_again_though_it_began_at_the_same_time() -> None:
    """Its sender was cut off, not recovered."""
    posting = Posting()
    posting.post(0, alert(startsAt=at(0), endsAt=at(60)))
    posting.expire(87)
    assert posting.post(90, alert(startsAt=at(0), endsAt=at(330))) == ["fired P1"]
    assert len({event.episode for event in posting.events}) == 2


def test_a_late_repetition_of_what_was_resolved_meanwhile_does_not_fire() -> None:
    posting = Posting()
    posting.post(0, alert(startsAt=at(0), endsAt=at(240)))
    posting.post(10, alert(startsAt=at(0), endsAt=at(9)))
    assert posting.post(11, alert(startsAt=at(0), endsAt=at(241))) == []


def test_a_sender_that_goes_on_after_it_was_resolved_fires_again() -> None:
    posting = Posting()
    posting.post(0, alert(startsAt=at(0), endsAt=at(240)))
    posting.post(10, alert(startsAt=at(0), endsAt=at(9)))
    assert posting.post(120, alert(startsAt=at(0), endsAt=at(360))) == ["fired P1"]


def test_a_new_start_is_a_new_episode_that_every_replica_names_alike() -> None:
    one, other = Posting(), Posting()
    one.post(0, alert(startsAt=at(-5)))
    other.post(3, alert(startsAt=at(-5)))
    assert one.last.episode == other.last.episode
    one.post(10, alert(startsAt=at(-5), endsAt=at(9)))
    one.post(20, alert(startsAt=at(15)))
    assert one.last.episode != other.last.episode


def test_nobody_prolongs_or_ends_an_alert_of_our_own_rules() -> None:
    ours = fired(Labels(LABELS), severity="P1", playbook=SHOP)
    posting = Posting(KnownAlerts().with_words([Word(ours, START)]))
    assert posting.post(1, alert(endsAt=at(0))) == []
    assert posting.post(1, alert(endsAt=at(999))) == []
    assert posting.expire(10_000) == []


# --- what is refused --------------------------------------------------------------------------------------------------


def test_moments_that_go_programs_send_for_unset_are_unset() -> None:
    [posted], bad = read_posted(
        [{"labels": LABELS, "startsAt": "0001-01-01T00:00:00.000Z", "endsAt": "0001-01-01T00:00:00Z"}]
    )
    assert not bad
    assert posted.starts_at is posted.ends_at is None


def test_labels_without_a_value_are_no_labels() -> None:
    [posted], _ = read_posted([{"labels": {**LABELS, "empty": ""}}])
    assert posted.labels == Labels(LABELS)


def test_nanoseconds_and_other_zones_are_read() -> None:
    [posted], _ = read_posted([{"labels": LABELS, "startsAt": "2026-03-01T14:00:00.123456789+02:00"}])
    assert posted.starts_at == datetime.fromisoformat("2026-03-01T12:00:00.123456+00:00")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"labels": LABELS, "startsAt": format_moment(at(5)), "endsAt": format_moment(at(4))}, "endsAt lies before"),
        ({"labels": LABELS, "startsAt": "yesterday"}, "startsAt 'yesterday': "),
        ({"labels": LABELS, "endsAt": "2026-03-01T12:00:00"}, "endsAt '2026-03-01T12:00:00': has no time zone"),
        ({"labels": LABELS, "endsAt": "2026-03-01T23:59:60Z"}, "endsAt"),
        ({"labels": LABELS, "endsAt": 1772366400}, "endsAt is not a text"),
        ({"labels": {}}, "at least one label is needed"),
        ({"labels": {"alertname": ""}}, "at least one label is needed"),
        ({"annotations": {}}, "at least one label is needed"),
        ({"labels": {"alertname": 7}}, "labels.alertname is not a text"),
        ({"labels": ["alertname"]}, "labels is not an object"),
        ({"labels": {"bad-name": "x"}}, "labels: 'bad-name' is not a label name"),
        ({"labels": {"a": "x" * 1025}}, "label 'a': 1025 characters"),
        ({"labels": {"a": "\u202e"}}, "U+202E"),
        ({"labels": {f"l{n}": "x" for n in range(65)}}, "65 labels"),
        ({"labels": LABELS, "annotations": {"": "x"}}, "annotations: one has no name"),
        ({"labels": LABELS, "annotations": {f"a{n}": "x" for n in range(65)}}, "annotations: 65 of them"),
        ({"labels": LABELS, "generatorURL": {"a": 1}}, "generatorURL is not a text"),
        ("text", "is not an object"),
        (None, "is not an object"),
    ],
)
def test_an_alert_that_cannot_be_taken_is_named_with_its_place_and_field(item: Any, reason: str) -> None:
    good, [bad] = read_posted([{"labels": LABELS}, item, {"labels": LABELS}])
    assert len(good) == 2
    assert bad.index == 1
    assert reason in bad.reason


@pytest.mark.parametrize("document", [None, {}, "x", 3, {"labels": LABELS}])
def test_what_is_no_list_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="the body is not a list of alerts"):
        read_posted(document)


def test_more_than_ten_thousand_alerts_are_refused() -> None:
    with pytest.raises(ValueError, match="10001 alerts in one request; at most 10000 are allowed"):
        read_posted([None] * (MAX_ALERTS + 1))


@pytest.mark.parametrize(
    "item",
    [
        {"labels": {"alertname": "x" * 1024, "severity": "y\n\t" * 300}},
        {"labels": {"severity": "\t"}, "annotations": {"\u202e" * 200: "\x00"}, "generatorURL": "\x1b" * 5000},
        {"labels": {"a": "b"}, "annotations": {"summary": "line\nline" * 3000}},
        {"labels": {"a": "b"}, "startsAt": "1492-10-12T00:00:00Z", "endsAt": "2999-01-01T00:00:00Z"},
        {"labels": {"a": "b"}, "startsAt": "0002-01-01T00:00:00+23:59", "endsAt": "9999-12-31T23:59:59-23:59"},
    ],
)
def test_what_is_taken_can_be_told_whatever_it_holds(item: Any) -> None:
    [posted], _ = read_posted([item])
    [event] = decide_request([posted], KnownAlerts(), "api", START)
    assert type(event).model_validate_json(event.to_json()) == event


# --- which firing an end is of ----------------------------------------------------------------------------------------


def test_the_end_of_a_firing_before_that_comes_late_ends_nothing() -> None:
    posting = Posting()
    posting.post(0, alert(startsAt=at(0)))
    assert posting.post(60.1, alert(startsAt=at(60))) == ["fired P1"]
    assert posting.post(61, alert(startsAt=at(0), endsAt=at(59.9))) == []
    assert posting.post(90, alert(startsAt=at(60), endsAt=at(89))) == ["resolved"]
    assert len({event.episode for event in posting.events}) == 1


def test_of_a_pair_of_senders_each_has_a_start_and_either_may_end_the_alert() -> None:
    posting = Posting()
    for minute in range(5):
        for start in (7, 0):
            posting.post(60 * minute + 10, alert(startsAt=at(start), endsAt=at(60 * minute + 250)))
    told = [event.latest_start for event in posting.events if isinstance(event, AlertFired)]
    assert told == [at(7)] * len(told)
    assert len(told) == 5  # once a minute, for the lease; none for the starts
    assert posting.post(400, alert(startsAt=at(0), endsAt=at(399))) == ["resolved"]


def test_a_start_is_told_once_where_there_was_none() -> None:
    posting = Posting()
    posting.post(0, alert())
    assert posting.last.latest_start is None
    assert [posting.post(second, alert(startsAt=at(5))) for second in (6, 7)] == [["fired P1"], []]
    assert posting.last.latest_start == at(5)


def test_a_sender_that_gives_no_start_may_have_a_clock_that_is_slow() -> None:
    posting = Posting()
    posting.post(0, alert())
    assert posting.post(60, alert(endsAt=at(-600))) == ["resolved"]


def test_of_two_firings_that_replicas_began_at_once_the_first_is_ended_as_replaced() -> None:
    one, other = fired(Labels(LABELS), "e1"), fired(Labels(LABELS), "e2", starts_at=at(3))
    known = KnownAlerts().with_words([Word(one, at(3)), Word(other, at(3))])
    [end] = decide_replaced(known)
    assert (end.episode, end.reason, end.ends_at) == ("e1", "replaced", at(3))
    ended = known.with_words([Word(end, at(4))])
    assert decide_replaced(ended) == ()
    assert [each.episode for each in ended.firing()] == ["e2"]


def test_an_end_that_comes_in_the_meantime_is_told_once() -> None:
    words = [fired(Labels(LABELS), "e1"), fired(Labels(LABELS), "e2"), resolved(Labels(LABELS), "e2")]
    known = KnownAlerts().with_words(Word(event, at(3)) for event in words)
    assert [end.episode for end in decide_replaced(known)] == ["e1"]
    assert not list(known.firing())
    assert decide_replaced(known.with_words([Word(resolved(Labels(LABELS), "e1"), at(4))])) == ()
