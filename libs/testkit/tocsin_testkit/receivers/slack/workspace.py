"""The workspace behind the double: channels, people, messages in their threads."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from tocsin_testkit.receivers.inbox import Inbox
from tocsin_testkit.receivers.slack.arguments import Json, RefusedError

__all__ = ["BOT_USER", "Channel", "Revision", "SlackMessage", "TooFastError", "Workspace"]

BOT_USER = "U0TOCSIN"


class TooFastError(Exception):
    """The channel's rate limit; Slack answers 429 with Retry-After."""

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(f"retry after {retry_after}")


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    is_private: bool = False
    topic: str = ""
    members: list[str] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Revision:
    text: str
    blocks: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """A message as it stands now; `earlier` is what chat.update replaced, oldest first."""

    channel: str
    channel_name: str
    ts: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    reply_broadcast: bool = False
    metadata: Json | None = None
    client_msg_id: str | None = None
    earlier: tuple[Revision, ...] = ()

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


class Workspace:
    """All state, for one writer: the double's loop. Readers on other threads get copies."""

    def __init__(
        self,
        channels: Iterable[str],
        users: Iterable[str],
        per_channel_interval: timedelta | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inbox: Inbox[SlackMessage] = Inbox()
        self._users = {BOT_USER, *users}
        self._interval = per_channel_interval
        self._clock = clock
        self._posted_at: dict[str, float] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        for name in channels:
            self.create_channel(name, is_private=False)

    # --- channels and people -----------------------------------------------------------------------------------

    @property
    def channels(self) -> tuple[Channel, ...]:
        with self._lock:
            return tuple(self._channels.values())

    def create_channel(self, name: str, *, is_private: bool) -> Channel:
        with self._lock:
            if any(channel.name == name for channel in self._channels.values()):
                raise RefusedError("name_taken", name)
            channel = Channel(f"C{next(self._numbers):08d}", name, is_private, members=[BOT_USER])
            self._channels[channel.id] = channel
            return channel

    def channel(self, identity: str, *, by_name: bool = False) -> Channel:
        """By id; chat.postMessage also takes a name (with or without #) and a person, which opens a direct message."""
        with self._lock:
            if identity in self._channels:
                return self._channels[identity]
            if by_name:
                for channel in self._channels.values():
                    if channel.name == identity.removeprefix("#"):
                        return channel
                if identity in self._users:
                    direct = Channel(f"D{identity[1:]}", identity, is_private=True, members=[BOT_USER, identity])
                    return self._channels.setdefault(direct.id, direct)
        raise RefusedError("channel_not_found", identity or "no channel given")

    def known_user(self, user: str) -> str:
        if user not in self._users:
            raise RefusedError("user_not_found", user)
        return user

    # --- messages ------------------------------------------------------------------------------------------------

    def post(self, message: SlackMessage) -> SlackMessage:
        """Store it under a new timestamp, within the channel's rate limit."""
        self._slow_down(message.channel)
        posted = replace(message, ts=self._new_ts())
        self.inbox.put(posted.ts, posted)
        return posted

    def edit(self, message: SlackMessage, text: str, blocks: tuple[Json, ...], metadata: Json | None) -> SlackMessage:
        earlier = (*message.earlier, Revision(message.text, message.blocks))
        edited = replace(message, text=text, blocks=blocks, metadata=metadata or message.metadata, earlier=earlier)
        self.inbox.put(edited.ts, edited)
        return edited

    def message(self, channel: Channel, ts: str, otherwise: str) -> SlackMessage:
        message = self.inbox.get(ts)
        if message is None or message.channel != channel.id:
            raise RefusedError(otherwise, f"{ts or 'no timestamp'} in {channel.name}")
        return message

    def thread(self, ts: str) -> tuple[SlackMessage, ...]:
        """The message and its replies, in order."""
        return tuple(message for message in self.inbox.items if ts in (message.ts, message.thread_ts))

    def _new_ts(self) -> str:
        return f"{int(time.time())}.{next(self._numbers):06d}"

    def _slow_down(self, channel: str) -> None:
        if self._interval is None:
            return
        now = self._clock()
        next_at = self._posted_at.get(channel, float("-inf")) + self._interval.total_seconds()
        if now < next_at:
            raise TooFastError(timedelta(seconds=next_at - now))
        self._posted_at[channel] = now
