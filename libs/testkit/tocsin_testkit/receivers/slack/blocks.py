"""What Block Kit refuses. The limits are Slack's: https://docs.slack.dev/reference/block-kit/blocks

A complaint reads like Slack's own: what is wrong and a JSON pointer to it.
"""

import json
from collections.abc import Callable, Iterator

from tocsin_testkit.receivers.slack.arguments import Json, RefusedError

__all__ = ["check_blocks"]

BLOCKS = 50
BLOCKS_TOTAL = 13_000  # undocumented; refusals were seen from 13,172 characters on (slackapi/bolt-js#2509)
BLOCK_ID = 255
SECTION_TEXT = 3_000
SECTION_FIELDS = 10
FIELD_TEXT = 2_000
HEADER_TEXT = 150
MARKDOWN_TEXT = 12_000
CONTEXT_ELEMENTS = 10
CONTEXT_TEXT = 3_000
ACTION_ELEMENTS = 25
ACTION_ID = 255
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
BUTTON_LABEL = 75
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_ANSWER = 100, 300, 30
URL = 3_000
ALT_TEXT = 2_000

IN_ACTIONS = frozenset(
    {
        "button", "checkboxes", "datepicker", "datetimepicker", "overflow", "radio_buttons", "timepicker",
        "workflow_button", "static_select", "external_select", "users_select", "conversations_select",
        "channels_select", "multi_static_select", "multi_external_select", "multi_users_select",
        "multi_conversations_select", "multi_channels_select",
    }
)  # fmt: skip

Complaints = Iterator[str]


def check_blocks(blocks: object) -> tuple[Json, ...]:
    """The blocks, or RefusedError as chat.postMessage refuses them."""
    if blocks is None:
        return ()
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise RefusedError("invalid_blocks_format", "blocks must be a list of objects")
    complaints = list(_blocks(blocks))
    if complaints:
        raise RefusedError("invalid_blocks", "; ".join(complaints))
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > BLOCKS_TOTAL:
        raise RefusedError("msg_blocks_too_long", f"more than {BLOCKS_TOTAL} characters in all")
    return tuple(blocks)


def _blocks(blocks: list[Json]) -> Complaints:
    if len(blocks) > BLOCKS:
        yield f"no more than {BLOCKS} items allowed [json-pointer:/blocks]"
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        at = f"/blocks/{index}"
        yield from _length(block.get("block_id", "-"), BLOCK_ID, f"{at}/block_id")
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in seen:
                yield f"block_id {block_id!r} is already used [json-pointer:{at}/block_id]"
            seen.add(block_id)
        check = CHECKS.get(str(block.get("type")))
        if check is None:
            yield f"unsupported type: {block.get('type')} [json-pointer:{at}/type]"
        else:
            yield from check(block, at)


def _section(block: Json, at: str) -> Complaints:
    fields = block.get("fields")
    if "text" not in block and not fields:
        yield f"missing required field: text or fields [json-pointer:{at}]"
    if "text" in block:
        yield from _text(block["text"], SECTION_TEXT, f"{at}/text")
    if fields is not None:
        yield from _count(fields, SECTION_FIELDS, f"{at}/fields")
        for index, field in _items(fields):
            yield from _text(field, FIELD_TEXT, f"{at}/fields/{index}")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}/accessory")


def _header(block: Json, at: str) -> Complaints:
    yield from _text(block.get("text"), HEADER_TEXT, f"{at}/text", plain=True)


def _markdown(block: Json, at: str) -> Complaints:
    yield from _length(block.get("text"), MARKDOWN_TEXT, f"{at}/text")


def _context(block: Json, at: str) -> Complaints:
    yield from _count(block.get("elements"), CONTEXT_ELEMENTS, f"{at}/elements")
    for index, element in _items(block.get("elements")):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _image(element, f"{at}/elements/{index}")
        else:
            yield from _text(element, CONTEXT_TEXT, f"{at}/elements/{index}")


def _actions(block: Json, at: str) -> Complaints:
    yield from _count(block.get("elements"), ACTION_ELEMENTS, f"{at}/elements")
    seen: set[object] = set()
    for index, element in _items(block.get("elements")):
        yield from _element(element, f"{at}/elements/{index}")
        kind = element.get("type") if isinstance(element, dict) else None
        if kind and kind not in IN_ACTIONS:
            yield f"unsupported type: {kind} [json-pointer:{at}/elements/{index}/type]"
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(action_id, str):
            if action_id in seen:
                yield f"action_id {action_id!r} is already used [json-pointer:{at}/elements/{index}/action_id]"
            seen.add(action_id)


def _image(block: Json, at: str) -> Complaints:
    if "slack_file" not in block:
        yield from _length(block.get("image_url"), URL, f"{at}/image_url")
    yield from _length(block.get("alt_text"), ALT_TEXT, f"{at}/alt_text")


def _unchecked(_block: Json, _at: str) -> Complaints:
    yield from ()


def _element(element: object, at: str) -> Complaints:
    if not isinstance(element, dict) or not element.get("type"):
        yield f"must be an object with a type [json-pointer:{at}]"
        return
    if "action_id" in element:
        yield from _length(element["action_id"], ACTION_ID, f"{at}/action_id")
    match element["type"]:
        case "button":
            yield from _button(element, at)
        case "image":
            yield from _image(element, at)


def _button(button: Json, at: str) -> Complaints:
    yield from _text(button.get("text"), BUTTON_TEXT, f"{at}/text", plain=True)
    if "value" in button:
        yield from _length(button["value"], BUTTON_VALUE, f"{at}/value")
    if "url" in button:
        yield from _length(button["url"], URL, f"{at}/url")
    if "accessibility_label" in button:
        yield from _length(button["accessibility_label"], BUTTON_LABEL, f"{at}/accessibility_label")
    if "confirm" in button:
        yield from _confirm(button["confirm"], f"{at}/confirm")
    yield from _style(button, at)


def _confirm(dialog: object, at: str) -> Complaints:
    if not isinstance(dialog, dict):
        yield f"must be an object [json-pointer:{at}]"
        return
    yield from _text(dialog.get("title"), CONFIRM_TITLE, f"{at}/title", plain=True)
    yield from _text(dialog.get("text"), CONFIRM_TEXT, f"{at}/text")
    yield from _text(dialog.get("confirm"), CONFIRM_ANSWER, f"{at}/confirm", plain=True)
    yield from _text(dialog.get("deny"), CONFIRM_ANSWER, f"{at}/deny", plain=True)
    yield from _style(dialog, at)


def _style(element: Json, at: str) -> Complaints:
    if element.get("style", "primary") not in {"primary", "danger"}:
        yield f"style must be primary or danger [json-pointer:{at}/style]"


CHECKS: dict[str, Callable[[Json, str], Complaints]] = {
    "section": _section,
    "header": _header,
    "markdown": _markdown,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "divider": _unchecked,
    "rich_text": _unchecked,
    "table": _unchecked,
    "video": _unchecked,
}


def _text(text: object, most: int, at: str, *, plain: bool = False) -> Complaints:
    allowed = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
    if not isinstance(text, dict):
        yield f"must be a text object [json-pointer:{at}]"
        return
    if text.get("type") not in allowed:
        yield f"unsupported type: {text.get('type')} [json-pointer:{at}/type]"
    yield from _length(text.get("text"), most, f"{at}/text")


def _length(value: object, most: int, at: str) -> Complaints:
    if not isinstance(value, str):
        yield f"must be a string [json-pointer:{at}]"
    elif not value:
        yield f"must be more than 0 characters [json-pointer:{at}]"
    elif len(value) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{at}]"


def _count(value: object, most: int, at: str) -> Complaints:
    if not isinstance(value, list) or not value:
        yield f"must be a list of 1 or more items [json-pointer:{at}]"
    elif len(value) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}]"


def _items(value: object) -> Iterator[tuple[int, object]]:
    return enumerate(value if isinstance(value, list) else [])
