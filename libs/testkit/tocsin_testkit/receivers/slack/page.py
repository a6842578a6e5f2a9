"""What arrived, for people (a plain HTML page) and for machines (JSON)."""

from dataclasses import asdict
from datetime import UTC, datetime
from html import escape

from tocsin_testkit.receivers.slack.arguments import Json
from tocsin_testkit.receivers.slack.workspace import Channel, SlackMessage, Workspace

__all__ = ["as_json", "as_page"]

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3">
<title>Slack double: {count} messages</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
  h2 {{ border-bottom: 1px solid #8886; padding-bottom: .3rem; }}
  article {{ margin: .8rem 0; padding-left: .8rem; border-left: 3px solid #611f69; }}
  article article {{ margin-left: 1rem; border-left-color: #8886; }}
  header, .topic {{ color: #767676; font-size: .85em; }}
  p {{ margin: .2rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
  .button {{ display: inline-block; border: 1px solid #8886; border-radius: 4px;
    padding: 0 .6rem; margin: .2rem .3rem 0 0; }}
</style>
</head>
<body>
<h1>What the Slack double received</h1>
{channels}
</body>
</html>
"""


def as_json(workspace: Workspace) -> Json:
    return {
        "channels": [asdict(channel) for channel in workspace.channels],
        "messages": [asdict(message) for message in workspace.inbox.items],
    }


def as_page(workspace: Workspace) -> str:
    messages = workspace.inbox.items
    channels = "\n".join(_channel(channel, messages) for channel in workspace.channels)
    return PAGE.format(count=len(messages), channels=channels or "<p>No channels.</p>")


def _channel(channel: Channel, messages: tuple[SlackMessage, ...]) -> str:
    own = [message for message in messages if message.channel == channel.id]
    threads = "\n".join(_thread(message, own) for message in own if not message.is_reply)
    topic = f'<p class="topic">{escape(channel.topic)}</p>' if channel.topic else ""
    return f"<section>\n<h2>#{escape(channel.name)}</h2>\n{topic}{threads or '<p>Nothing yet.</p>'}\n</section>"


def _thread(parent: SlackMessage, messages: list[SlackMessage]) -> str:
    replies = "\n".join(
        _article(message, "") for message in messages if message.is_reply and message.thread_ts == parent.ts
    )
    return _article(parent, replies)


def _article(message: SlackMessage, replies: str) -> str:
    sent = datetime.fromtimestamp(float(message.ts), tz=UTC)
    edited = ", edited" if message.earlier else ""
    lines = _readable(message.blocks) or [f"<p>{escape(message.text)}</p>"]
    return "\n".join(
        [
            "<article>",
            f'<header><time datetime="{sent.isoformat()}">{sent:%H:%M:%S} UTC</time>{edited}</header>',
            *lines,
            replies,
            "</article>",
        ]
    )


def _readable(blocks: tuple[Json, ...]) -> list[str]:
    """The texts and buttons of the blocks, in order."""
    found: list[str] = []
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", []), block.get("accessory")]
        found.extend(_part(part, block) for part in parts if part)
    return found


def _part(part: object, block: Json) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if not isinstance(part, dict):
        return ""
    label = part.get("text", "")
    if isinstance(label, dict):
        label = label.get("text", "")
    text = escape(label if isinstance(label, str) else "")
    if part.get("type") == "button":
        return f'<span class="button">{text}</span>'
    return f"<p><strong>{text}</strong></p>" if block["type"] == "header" else f"<p>{text}</p>"
