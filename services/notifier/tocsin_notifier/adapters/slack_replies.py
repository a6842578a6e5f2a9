"""What came of a press of a button, told to who pressed it and to nobody else.

Slack names with each press an address for answers (docs.slack.dev/interactivity/handling-user-interaction). Whoever
knows it can write there: it is in no log.
"""

import asyncio
import json
import re
from collections.abc import Collection

import structlog

from tocsin_notifier.adapters.http import Poster, status_error
from tocsin_notifier.adapters.sending import SendError, temporary
from tocsin_notifier.adapters.slack_blocks import escaped
from tocsin_notifier.core.clicks import Click
from tocsin_runtime import Clock

__all__ = ["SlackReplies"]

log = structlog.get_logger(__name__)

_ADDRESS = re.compile(r"(https?)://([a-z0-9.\-]{1,253})(?::([0-9]{1,5}))?/[A-Za-z0-9._~/%?=&+\-]{0,1000}", re.ASCII)
_THIS_COMPUTER = frozenset({"127.0.0.1", "localhost"})
_ATTEMPT, _LONGEST_PAUSE = 4.0, 5.0
_PAUSES = (0.5, 2.0)
_LENGTH = 2000


class SlackReplies:
    """Answers presses, at these `hosts` only."""

    def __init__(self, http: Poster, clock: Clock, hosts: Collection[str]) -> None:
        self._http, self._clock, self._hosts = http, clock, hosts

    async def tell(self, click: Click, text: str) -> None:
        """Tell them. What cannot be told is logged."""
        if not self._may_be_told_at(click.reply_to):
            log.error("a press of a button cannot be answered: Slack's address is none we may write to", said=text)
            return
        pauses = [*_PAUSES]
        while (failed := await self._attempt(click, text)) is not None:
            if failed.failure.is_permanent or not pauses:
                log.error("a press of a button could not be answered", said=text, reason=failed.failure.reason)
                return
            await self._clock.sleep(min(failed.failure.retry_after or pauses.pop(0), _LONGEST_PAUSE))

    async def _attempt(self, click: Click, text: str) -> SendError | None:
        said = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": escaped(text)[:_LENGTH],
            **({"thread_ts": click.thread} if click.thread else {}),
        }
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            async with asyncio.timeout(_ATTEMPT):
                answer = await self._http.post(click.reply_to, json.dumps(said).encode(), headers)
        except SendError as error:
            return error
        except TimeoutError:
            return temporary(f"no answer within {_ATTEMPT:g} s", may_have_arrived=True)
        return status_error(answer, self._clock.now())

    def _may_be_told_at(self, address: str) -> bool:
        found = _ADDRESS.fullmatch(address)
        if found is None or found[2] not in self._hosts:
            return False
        return found[2] in _THIS_COMPUTER or (found[1] == "https" and found[3] in (None, "443"))
