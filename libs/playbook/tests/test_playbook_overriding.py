# ruff: noqa: E501 - tables of cases, one a line
"""Overrides that are added to the text of a playbook, of which nothing else changes."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin_playbook import PlaybookError, UnknownNameError, load
from tocsin_playbook.model import Override
from tocsin_playbook.overriding import NotWritableError, add_overrides, overrides_as_yaml

HEAD = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}]
oncall:
  schedules:
"""
BLOCK = """\
    # who is paged first
    - name: primary   # by day
      time_zone: Europe/Berlin
      layers:
        - people: [ada]
          starts: 2026-01-01 # for good

  # the end
"""
SWAP = Override(person="grace", begins=datetime(2026, 3, 28, 8, tzinfo=UTC), until=datetime(2026, 3, 30, 7, tzinfo=UTC))
LINE = '- {person: "grace", from: 2026-03-28T09:00:00+01:00, until: 2026-03-30T09:00:00+02:00}'


def added(schedules: str) -> str:
    return add_overrides(HEAD + schedules, "primary", [SWAP]).removeprefix(HEAD)


def test_overrides_are_written_in_the_time_of_the_schedule() -> None:
    schedule = load(HEAD + BLOCK).playbook.schedule("primary")
    assert overrides_as_yaml([SWAP, SWAP], schedule) == f"{LINE}\n{LINE}\n"


def test_the_first_override_stands_at_the_end_of_its_schedule() -> None:
    wanted = BLOCK.replace("# for good\n", f"# for good\n      overrides:\n        {LINE}\n")
    assert added(BLOCK) == wanted


def test_further_overrides_come_after_those_that_are_there() -> None:
    own = "      overrides:\n      - person: ada\n        from: 2026-03-01T00:00:00Z\n        until: 2026-04-01T00:00:00Z # away\n"
    wanted = BLOCK.replace("\n\n", f"\n{own}      {LINE}\n\n")
    assert added(BLOCK.replace("\n\n", f"\n{own}\n")) == wanted


def test_the_right_one_of_several_schedules_gets_them() -> None:
    other = "    - layers: [{people: [ada], starts: 2026-01-01}]\n      name: secondary\n"
    assert added(other + BLOCK).startswith(other)
    assert added(BLOCK + other).endswith(other)
    assert LINE in added(BLOCK + other)


def test_a_text_without_a_last_line_break_gets_one() -> None:
    text = BLOCK.partition(" # for good")[0]
    assert added(text) == f"{text}\n      overrides:\n        {LINE}\n"


def test_lines_end_as_they_do_elsewhere_in_the_text() -> None:
    made = add_overrides((HEAD + BLOCK).replace("\n", "\r\n"), "primary", [SWAP])
    assert made.count("\n") == made.count("\r\n") == (HEAD + BLOCK).count("\n") + 2


def test_no_overrides_change_nothing() -> None:
    assert add_overrides(HEAD + BLOCK, "primary", []) == HEAD + BLOCK


@pytest.mark.parametrize(
    "schedules",
    [
        "    - {name: primary, layers: [{people: [ada], starts: 2026-01-01}]}\n",
        "    - {name: primary,\n       layers: [{people: [ada], starts: 2026-01-01}]}\n",
        BLOCK.replace("\n\n", "\n      overrides: []\n"),
        BLOCK.replace("\n\n", "\n      overrides: [{person: ada, from: 2026-03-01T00:00:00Z, until: 2026-04-01T00:00:00Z}]\n"),
    ],
)  # fmt: skip
def test_what_is_not_written_one_key_a_line_is_left_alone(schedules: str) -> None:
    with pytest.raises(NotWritableError, match=r"one (key|entry) a line"):
        added(schedules)


def test_an_alias_that_others_share_is_left_alone() -> None:
    shared = "    - name: secondary\n      layers: &all\n        - people: [ada]\n          starts: 2026-01-01\n"
    with pytest.raises(NotWritableError):
        added(f"{shared}    - name: primary\n      layers: *all\n")


def test_more_overrides_than_a_schedule_holds_are_refused() -> None:
    many = [SWAP.model_copy(update={"until": SWAP.until + timedelta(hours=hours)}) for hours in range(501)]
    with pytest.raises(NotWritableError, match="500"):
        add_overrides(HEAD + BLOCK, "primary", many)


def test_a_schedule_that_is_not_there_and_a_text_that_is_no_playbook_are_told() -> None:
    with pytest.raises(UnknownNameError):
        add_overrides(HEAD + BLOCK, "night", [SWAP])
    with pytest.raises(PlaybookError):
        add_overrides("kind: x\n", "primary", [SWAP])
