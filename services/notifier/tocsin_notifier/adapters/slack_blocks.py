"""A message as Slack shows it: Block Kit within its limits, and foreign text that is nothing but text.

Slack reads `<!channel>`, `<@U…>` and `<https://…|words>` in any text, so `&`, `<` and `>` are escaped everywhere
(docs.slack.dev/messaging/formatting-message-text). What comes from alerts stands in plain_text objects, or in
mrkdwn with `verbatim`, where Slack makes no links of its own.
"""

import json
from typing import Any

from tocsin_notifier.core.clicks import name_of_button, value_of_button
from tocsin_notifier.core.message import Button, Field, Message, Tone, plain_text

__all__ = ["Block", "blocks_of", "escaped", "fallback_of"]

Block = dict[str, Any]  # Any: JSON for Slack

_HEADER, _SECTION, _FIELD, _TEXT = 150, 2900, 1900, 3500
_COMMAND, _COMMANDS = 400, 4
_BUTTONS, _LABEL, _SURE = 6, 75, 300  # Slack: 25 buttons, but all blocks together must not be too long
_MOST_BLOCKS, _MOST_CHARACTERS = 40, 11_000  # Slack: 50, and about 13,000 in all (slackapi/bolt-js#2509)
_MARKS = ("🔴", "🟠", "🟡", "⚪")  # by rank; colour is repeated by the severity's name


def blocks_of(message: Message, *, with_buttons: bool = False) -> list[Block]:
    """Header, what is said, facts, what to do, where to look. As much of it as Slack takes."""
    wanted = [
        {"type": "header", "text": _plain(f"{_mark(message)} {message.headline}", _HEADER)},
        *(_paragraph(text, message) for text in _rest_of_headline(message) + message.paragraphs),
        *_facts(message.fields),
    ]
    last = [*_to_do(message), *(_buttons(message) if with_buttons else ()), _context(message)]
    kept: list[Block] = []
    room = _MOST_CHARACTERS - sum(map(_size, last))
    for block in wanted:
        room -= _size(block)
        if room < 0 or len(kept) + len(last) >= _MOST_BLOCKS:
            break
        kept.append(block)
    return [*kept, *last]


def fallback_of(message: Message) -> str:
    """What notifications and screen readers show, and all there is if Slack refuses the blocks."""
    return _cut(escaped(f"{_mark(message)} {plain_text(message)}"), _TEXT)


def escaped(text: str) -> str:
    """Text in which Slack sees no mention, no link and no command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- how --------------------------------------------------------------------------------------------------------------


def _mark(message: Message) -> str:
    if message.tone is Tone.GOOD:
        return "✅"
    return _MARKS[min(message.rank, len(_MARKS) - 1)] if message.tone is Tone.ALARM else "🔹"


def _rest_of_headline(message: Message) -> tuple[str, ...]:
    """The whole headline once more, where the header had no room for it."""
    return (message.headline,) if len(escaped(message.headline)) > _HEADER - 2 else ()


def _paragraph(text: str, message: Message) -> Block:
    shown = _mrkdwn(text, _SECTION) if message.is_the_authors else _plain(text, _SECTION)
    return {"type": "section", "text": shown}


def _facts(fields: tuple[Field, ...]) -> list[Block]:
    """One line a fact, its name bold: on a telephone two columns are unreadable."""
    lines = [f"*{escaped(field.label)}*  {_cut(escaped(field.value), _FIELD)}" for field in fields]
    sections: list[str] = []
    for line in lines:
        if sections and len(sections[-1]) + len(line) < _SECTION:
            sections[-1] += f"\n{line}"
        else:
            sections.append(line)
    return [{"type": "section", "text": _verbatim(text)} for text in sections]


def _to_do(message: Message) -> list[Block]:
    """Commands stand in code, so that they can be copied as they are."""
    to_do = message.to_do
    if to_do is None:
        return []
    commands = "".join(f"\n`{_cut(escaped(command), _COMMAND)}`" for command in to_do.commands[:_COMMANDS])
    otherwise = f"\n{_cut(escaped(to_do.otherwise), _COMMAND)}" if to_do.otherwise else ""
    what = _cut(escaped(to_do.what), _COMMAND)
    return [{"type": "section", "text": _verbatim(f"👉 *To do*  {what}{commands}{otherwise}")}]


def _buttons(message: Message) -> list[Block]:
    buttons = message.buttons[:_BUTTONS]
    elements = [_button(button, place, message.incident) for place, button in enumerate(buttons)]
    return [{"type": "actions", "elements": elements}] if elements else []


def _button(button: Button, place: int, incident: str) -> Block:
    made: Block = {
        "type": "button",
        "action_id": name_of_button(button, place),
        "text": _plain(button.label, _LABEL),
        "value": value_of_button(button, incident),
    }
    if place == 0:
        made["style"] = "primary"
    if button.sure:
        made["confirm"] = {
            "title": _plain(f"{button.label}?", _LABEL),
            "text": _plain(button.sure, _SURE),
            "confirm": _plain("Yes", _LABEL),
            "deny": _plain("Not now", _LABEL),
        }
    return made


def _context(message: Message) -> Block:
    elements: list[Block] = [_plain(message.footer, _FIELD)]
    links = " · ".join(f"<{link.url}|{_cut(escaped(link.title), 60)}>" for link in message.links)
    if links:
        elements.append({"type": "mrkdwn", "text": links, "verbatim": True})
    return {"type": "context", "elements": elements}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": _cut(escaped(text), limit) or "-", "emoji": False}


def _mrkdwn(text: str, limit: int) -> Block:
    return _verbatim(_cut(escaped(text), limit) or "-")


def _verbatim(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, never in the middle of an escape."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    start = cut.rfind("&", len(cut) - 5)
    if start >= 0 and ";" not in cut[start:]:
        cut = cut[:start]
    return cut + "…"


def _size(block: Block) -> int:
    if block["type"] == "actions":
        return len(json.dumps(block, ensure_ascii=False))
    texts = [block.get("text", {}), *block.get("elements", ())]
    return sum(len(text.get("text", "")) for text in texts) + 80 * len(texts)
