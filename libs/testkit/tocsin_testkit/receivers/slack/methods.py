"""The Web API methods that the double knows, as a table; all others are unknown to it."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tocsin_testkit.receivers.slack.arguments import Arguments, Json, RefusedError
from tocsin_testkit.receivers.slack.blocks import check_blocks
from tocsin_testkit.receivers.slack.workspace import BOT_USER, Channel, SlackMessage, Workspace

__all__ = ["METHODS", "Method"]

TEAM = "T0TESTKIT"
TEXT = 40_000
CHANNEL_NAME = 80
TOPIC = 250
LIST_DEFAULT, LIST_MOST = 100, 1_000
INVITED_AT_ONCE = 100

Method = Callable[[Workspace, Arguments], Json]


def auth_test(_workspace: Workspace, _given: Arguments) -> Json:
    return {
        "url": "https://testkit.slack.example/",
        "team": "testkit",
        "user": "tocsin",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": "B0TOCSIN",
        "is_enterprise_install": False,
    }


def chat_post_message(workspace: Workspace, given: Arguments) -> Json:
    channel = workspace.channel(given.text("channel"), by_name=True)
    text, blocks, metadata = _content(given)
    thread_ts = given.text("thread_ts") or None
    if thread_ts is not None:
        parent = workspace.message(channel, thread_ts, otherwise="thread_not_found")
        if parent.is_reply:
            raise RefusedError("cannot_reply_to_message", f"{thread_ts} is itself a reply")
    posted = workspace.post(
        SlackMessage(
            channel=channel.id,
            channel_name=channel.name,
            ts="",
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            reply_broadcast=given.flag("reply_broadcast"),
            metadata=metadata,
            client_msg_id=given.text("client_msg_id") or None,
        )
    )
    return {"channel": channel.id, "ts": posted.ts, "message": _message(posted)}


def chat_update(workspace: Workspace, given: Arguments) -> Json:
    channel = workspace.channel(given.text("channel"))
    message = workspace.message(channel, given.text("ts"), otherwise="message_not_found")
    edited = workspace.edit(message, *_content(given))
    return {"channel": channel.id, "ts": edited.ts, "text": edited.text, "message": _message(edited)}


def conversations_list(workspace: Workspace, given: Arguments) -> Json:
    kinds = set((given.text("types") or "public_channel").split(","))
    limit = _limit(given)
    start = _position(given.text("cursor"))
    listed = [channel for channel in workspace.channels if _kind(channel) in kinds]
    following = start + limit
    cursor = urlsafe_b64encode(str(following).encode()).decode() if following < len(listed) else ""
    return {
        "channels": [_channel(channel) for channel in listed[start:following]],
        "response_metadata": {"next_cursor": cursor},
    }


def conversations_create(workspace: Workspace, given: Arguments) -> Json:
    name = given.text("name")
    if not name:
        raise RefusedError("invalid_name_required")
    if len(name) > CHANNEL_NAME:
        raise RefusedError("invalid_name_maxlength", f"{len(name)} characters")
    if not re.search(r"[^\W_]", name):
        raise RefusedError("invalid_name_punctuation", name)
    if name != name.lower() or not re.fullmatch(r"[\w-]+", name):
        raise RefusedError("invalid_name_specials", name)
    return {"channel": _channel(workspace.create_channel(name, is_private=given.flag("is_private")))}


def conversations_invite(workspace: Workspace, given: Arguments) -> Json:
    channel = workspace.channel(given.text("channel"))
    users = [user.strip() for user in given.text("users").split(",") if user.strip()]
    if not users:
        raise RefusedError("no_user")
    if len(users) > INVITED_AT_ONCE:
        raise RefusedError("too_many_users", str(len(users)))
    for user in users:
        if user == BOT_USER:
            raise RefusedError("cant_invite_self")
        if workspace.known_user(user) in channel.members:
            raise RefusedError("already_in_channel", user)
    channel.members.extend(users)
    return {"channel": _channel(channel)}


def conversations_set_topic(workspace: Workspace, given: Arguments) -> Json:
    channel = workspace.channel(given.text("channel"))
    topic = given.text("topic")
    if len(topic) > TOPIC:
        raise RefusedError("too_long", f"{len(topic)} characters")
    channel.topic = topic
    return {"channel": _channel(channel)}


def pins_add(workspace: Workspace, given: Arguments) -> Json:
    channel = workspace.channel(given.text("channel"))
    if not given.text("timestamp"):
        raise RefusedError("no_item_specified")
    message = workspace.message(channel, given.text("timestamp"), otherwise="message_not_found")
    if message.ts in channel.pins:
        raise RefusedError("already_pinned", message.ts)
    channel.pins.append(message.ts)
    return {}


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "auth.test": auth_test,
        "chat.postMessage": chat_post_message,
        "chat.update": chat_update,
        "conversations.list": conversations_list,
        "conversations.create": conversations_create,
        "conversations.invite": conversations_invite,
        "conversations.setTopic": conversations_set_topic,
        "pins.add": pins_add,
    }
)


def _content(given: Arguments) -> tuple[str, tuple[Json, ...], Json | None]:
    text = given.text("text")
    if len(text) > TEXT:
        raise RefusedError("msg_too_long", f"{len(text)} characters")
    blocks = check_blocks(given.structure("blocks", otherwise="invalid_blocks_format"))
    if not text.strip() and not blocks and not given.structure("attachments", otherwise="invalid_attachments"):
        raise RefusedError("no_text")
    return text, blocks, _metadata(given.structure("metadata", otherwise="invalid_metadata_format"))


def _metadata(metadata: object) -> Json | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_metadata_format", "metadata must be an object")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise RefusedError("invalid_metadata_schema", "event_type and event_payload are required")
    return metadata


def _limit(given: Arguments) -> int:
    limit = given.text("limit") or str(LIST_DEFAULT)
    if not limit.isdecimal() or not 1 <= int(limit) <= LIST_MOST:
        raise RefusedError("invalid_limit", limit)
    return int(limit)


def _position(cursor: str) -> int:
    try:
        return int(urlsafe_b64decode(cursor)) if cursor else 0
    except ValueError as error:
        raise RefusedError("invalid_cursor", cursor) from error


def _kind(channel: Channel) -> str:
    if channel.id.startswith("D"):
        return "im"
    return "private_channel" if channel.is_private else "public_channel"


def _channel(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": True,
        "is_private": channel.is_private,
        "is_archived": False,
        "is_member": True,
        "topic": {"value": channel.topic},
        "num_members": len(channel.members),
    }


def _message(message: SlackMessage) -> Json:
    optional = {
        "blocks": list(message.blocks) or None,
        "thread_ts": message.thread_ts,
        "metadata": message.metadata,
        "client_msg_id": message.client_msg_id,
    }
    return {
        "type": "message",
        "user": BOT_USER,
        "bot_id": "B0TOCSIN",
        "team": TEAM,
        "ts": message.ts,
        "text": message.text,
        **{name: value for name, value in optional.items() if value is not None},
    }
