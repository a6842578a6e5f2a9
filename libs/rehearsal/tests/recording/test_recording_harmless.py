"""A harmless playbook: it decides as it did, and nothing leaves."""

from pathlib import Path

import pytest
from recording_builders import ADA, asked, fired, playbook_text, published, recorded

from tocsin_playbook import PlaybookError, load, load_checked
from tocsin_rehearsal.recording import harmless, harmless_inputs, inputs_of
from tocsin_schemas import PlaybookPublished
from tocsin_schemas.commands import StopAutomation

STOREFRONT = (Path(__file__).parents[4] / "examples" / "storefront" / "playbook.yaml").read_text()
STATUS_PAGE = "  status_page: {statuspage_io: {page: p, token: {env: T}}}\n"


def test_nothing_leaves_any_more() -> None:
    text = harmless(STOREFRONT)
    playbook = load_checked(text).playbook
    assert [channel.kind for channel in playbook.communicate.channels] == ["console", "console"]
    assert "http" not in text
    assert (playbook.sources, playbook.detect.signals, playbook.remediate.runbooks) == ((), (), ())


def test_who_is_paged_and_when_is_as_it_was() -> None:
    before, after = load(STOREFRONT).playbook, load(harmless(STOREFRONT)).playbook
    for section in ("severities", "group", "classify", "inhibit", "oncall", "escalate", "review", "metadata"):
        assert getattr(before, section) == getattr(after, section)
    assert before.communicate.announce == after.communicate.announce
    assert [channel.name for channel in after.communicate.channels] == ["slack", "email"]


def test_the_provider_of_the_status_page_is_gone_and_the_page_stays() -> None:
    text = playbook_text() + STATUS_PAGE
    assert load(text).playbook.communicate.status_page is not None
    page = load(harmless(text)).playbook.communicate.status_page
    assert page is not None
    assert page.statuspage_io is None


def test_a_playbook_without_channels_stays_without() -> None:
    text = "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: x}\nseverities: [{name: P1}]\n"
    assert load(harmless(text)).playbook == load(text).playbook


def test_what_is_no_playbook_is_left_to_whoever_loads_it() -> None:
    for text in ("just words\n", "communicate: {channels: words}\n", "communicate: {channels: [words]}\n"):
        with pytest.raises(PlaybookError):
            load(harmless(text))
    with pytest.raises(PlaybookError):
        harmless("a: [")


def test_a_recordings_playbooks_are_replaced_wherever_they_stand() -> None:
    stop = asked(StopAutomation(incident="inc1", by=ADA))
    inputs = inputs_of(recorded(published(STOREFRONT, name="storefront"), fired(), published(playbook_text()), stop))
    changed, revisions = harmless_inputs(inputs)
    assert [given.stream for given in changed.messages] == ["ALERTS", "PLAYBOOKS"]
    for given, original in zip(
        (*changed.playbooks, *changed.messages[1:]), (*inputs.playbooks, *inputs.messages[1:2]), strict=True
    ):
        assert isinstance(given.envelope.data, PlaybookPublished)
        assert isinstance(original.envelope.data, PlaybookPublished)
        ref = given.envelope.data.playbook
        assert load(given.envelope.data.text).revision == ref.revision
        assert revisions[ref] == original.envelope.data.playbook
