"""Which messages have which buttons, and how Slack shows them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notifier_builders import INCIDENT, NASTY, NOW, Log, acknowledged, grouped, opened, paged, resolved, rulebook
from notifier_letters import a_letter, a_message, a_page, channel
from notifier_presses import Hooks

from tocsin_notifier.adapters.http import Answer
from tocsin_notifier.adapters.slack import SlackSender
from tocsin_notifier.adapters.slack_blocks import Block, blocks_of
from tocsin_notifier.core.clicks import command_of
from tocsin_notifier.core.message import Button, Message
from tocsin_notifier.core.render import bare, render
from tocsin_notifier.core.scene import Scene
from tocsin_schemas import Actor, Event
from tocsin_schemas.commands import Acknowledge, ApproveAction, Decline, Escalate
from tocsin_schemas.events import ActionApproved, ActionProposed, IncidentMonitoring, StatusUpdated
from tocsin_testkit.receivers.slack.blocks import check_blocks

ALL = ["Acknowledge", "Can't take it", "Escalate"]
BY = Actor.person("ada", "slack")


def told(log: Log, event: Event) -> Message:
    """The first message about the event."""
    book = rulebook()
    notification = log.told(log.add(event), book)[0]
    return render(Scene(log.incident, notification, book.playbook, NOW))


def labels(message: Message) -> list[str]:
    return [button.label for button in message.buttons]


def elements(message: Message) -> list[Block]:
    blocks = [block for block in blocks_of(message, with_buttons=True) if block["type"] == "actions"]
    return [element for block in blocks for element in block["elements"]]


def proposed(action: str = "a1", step: str = "clear-cache") -> ActionProposed:
    return ActionProposed(
        action=action, runbook="checkout-failing", step=step, description="", target="t", needs_approval=True
    )


def test_who_is_paged_can_answer() -> None:
    assert labels(told(Log(opened(), grouped()), paged())) == ALL


def test_who_is_paged_while_somebody_is_on_it_can_answer_too() -> None:
    assert labels(told(Log(opened(), grouped(), acknowledged()), paged())) == ALL


def test_who_hears_that_it_is_open_can_answer() -> None:
    assert labels(told(Log(), opened())) == ALL


def test_what_has_been_acknowledged_needs_no_acknowledgement() -> None:
    log = Log(opened(), grouped(), acknowledged())
    raised = told(log, proposed())
    assert labels(raised) == ["Can't take it", "Escalate"]


@pytest.mark.parametrize(
    "event", [acknowledged(), StatusUpdated(text="We look.", by=BY), IncidentMonitoring(watch_until=NOW)]
)
def test_news_asks_nobody_to_act(event: Event) -> None:
    assert labels(told(Log(opened(), grouped()), event)) == []


def test_what_is_over_needs_nothing() -> None:
    log = Log(opened(), grouped())
    (page,) = log.told(log.add(paged()))
    log.add(resolved())
    assert labels(render(Scene(log.incident, page, rulebook().playbook, NOW))) == []


def test_what_was_never_read_has_no_buttons() -> None:
    log = Log()
    (page,) = log.told(log.add(paged()))
    assert labels(render(Scene(log.incident, page, rulebook().playbook, NOW))) == []


def test_approvals_can_be_given_each_by_itself() -> None:
    log = Log(opened(), grouped(), proposed(), proposed("a2", "restart"))
    message = told(log, paged(reason="automation_needs_you"))
    assert labels(message) == ["Approve clear-cache", "Approve restart", *ALL]
    assert [button.action for button in message.buttons] == ["a1", "a2", "", "", ""]
    assert message.buttons[0].sure == "It runs: Empty the shop's cache"


def test_what_was_approved_already_needs_no_approval() -> None:
    log = Log(opened(), grouped(), proposed(), proposed("a2", "restart"))
    log.add(ActionApproved(action="a1", runbook="checkout-failing", step="clear-cache", by=BY))
    assert labels(told(log, paged(reason="automation_needs_you"))) == ["Approve restart", *ALL]


def test_plain_words_after_an_error_have_no_buttons() -> None:
    log = Log(opened(), grouped())
    (page,) = log.told(log.add(paged()))
    assert bare(log.incident, page).buttons == ()


def test_each_button_hands_back_its_command() -> None:
    log = Log(opened(), grouped(), proposed())
    message = told(log, paged(reason="automation_needs_you"))
    asked = [command_of(each["action_id"], each["value"], BY) for each in elements(message)]
    assert asked == [
        ApproveAction(incident=INCIDENT, by=BY, action="a1"),
        Acknowledge(incident=INCIDENT, by=BY),
        Decline(incident=INCIDENT, by=BY),
        Escalate(incident=INCIDENT, by=BY),
    ]


def test_what_cannot_be_taken_back_is_asked_about_first() -> None:
    shown = elements(a_page())
    assert [each["text"]["text"] for each in shown if "confirm" in each] == ["Escalate"]
    assert shown[-1]["confirm"]["text"]["text"] == "The next level is told now."
    assert [each.get("style") for each in shown] == ["primary", None, None]


def test_without_a_secret_there_are_none() -> None:
    blocks = blocks_of(a_page())
    assert "actions" not in {block["type"] for block in blocks}
    assert [block for block in blocks_of(a_page(), with_buttons=True) if block["type"] != "actions"] == blocks


@pytest.mark.parametrize("believed", [True, False])
async def test_a_channel_has_buttons_where_presses_can_be_believed(
    monkeypatch: pytest.MonkeyPatch, believed: bool
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SLACK", "xoxb-test")
    hooks = Hooks()
    hooks.answers.append(Answer(200, {}, b'{"ok": true, "ts": "1.0"}'))
    await SlackSender(hooks, lambda: NOW, lambda _: believed).send(a_letter(via=channel("slack")))
    ((_, said),) = hooks.told
    assert ("actions" in [block["type"] for block in said["blocks"]]) is believed


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=4000), many=st.integers(0, 40), paragraphs=st.integers(0, 60))
def test_buttons_keep_slacks_limits_whatever_they_say(text: str, many: int, paragraphs: int) -> None:
    buttons = tuple(Button(text or "x", "acknowledge", text[:64], text) for _ in range(many))
    blocks = blocks_of(a_message(text, buttons=buttons, paragraphs=(text,) * paragraphs), with_buttons=True)
    check_blocks(blocks)  # raises what Slack would refuse
    assert blocks[-1]["type"] == "context"
    assert sum(len(block["elements"]) for block in blocks if block["type"] == "actions") == min(many, 6)


@pytest.mark.parametrize("text", [*NASTY, "x" * 5000, "<" * 5000])
def test_the_longest_buttons_of_the_longest_message_are_taken(text: str) -> None:
    buttons = tuple(Button(text or "-", "acknowledge", "a" * 64, text) for _ in range(6))
    check_blocks(blocks_of(a_message(text, buttons=buttons, paragraphs=(text,) * 40), with_buttons=True))


def test_a_value_stays_json_whatever_an_id_is() -> None:
    message = a_message(buttons=(Button("Approve", "approve_action", 'a"1}\\'),))
    (shown,) = elements(message)
    assert json.loads(shown["value"]) == {"incident": INCIDENT, "action": 'a"1}\\'}
