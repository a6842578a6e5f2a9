"""The shop's side of the payment providers: charge a card, look whether the provider is well, switch over."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from storefront.errors import ShopError
from storefront.wire import Client, NoAnswerError


class ProviderName(StrEnum):
    PRIMARY = "primary"
    BACKUP = "backup"


class Call(StrEnum):
    CHARGE = "charge"
    PROBE = "probe"


class Outcome(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Calls:
    provider: ProviderName
    call: Call
    outcome: Outcome


class Gateway:
    def __init__(self, urls: dict[ProviderName, str], timeout: timedelta, probe_timeout: timedelta) -> None:
        self.active = ProviderName.PRIMARY
        self.calls: Counter[Calls] = Counter()
        self._clients = {name: Client(url) for name, url in urls.items()}
        self._timeouts = {Call.CHARGE: timeout, Call.PROBE: probe_timeout}

    async def charge(self, order: UUID, cents: int) -> None:
        """Raises ShopError 502 or 504 if the provider did not charge, or did not say so in time."""
        body = {"order": str(order), "cents": cents}
        provider, outcome = await self._call(Call.CHARGE, "POST", "/charges", body)
        match outcome:
            case Outcome.OK:
                return
            case Outcome.TIMEOUT:
                seconds = self._timeouts[Call.CHARGE].total_seconds()
                raise ShopError(504, f"payment provider {provider} gave no answer within {seconds:g} s")
            case Outcome.REFUSED | Outcome.UNREACHABLE:
                raise ShopError(502, f"payment provider {provider}: {outcome}")

    async def probe(self) -> tuple[ProviderName, bool]:
        """Asks the active provider whether it would charge; charges nothing."""
        provider, outcome = await self._call(Call.PROBE, "GET", "/ready", None)
        return provider, outcome is Outcome.OK

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def _call(self, call: Call, method: str, path: str, body: object) -> tuple[ProviderName, Outcome]:
        provider = self.active
        try:
            async with asyncio.timeout(self._timeouts[call].total_seconds()):
                status = await self._clients[provider].ask(method, path, body)
        except TimeoutError:
            outcome = Outcome.TIMEOUT
        except NoAnswerError:
            outcome = Outcome.UNREACHABLE
        else:
            outcome = Outcome.OK if status < 300 else Outcome.REFUSED
        self.calls[Calls(provider, call, outcome)] += 1
        return provider, outcome
