"""The JSON API of the standing orders: which silences and overrides there are, read only."""

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.asked import Question
from tocsin_recorder.adapters.harmless import json_answer, problem_answer
from tocsin_recorder.core.orders import Order, OrderState, overrides_of, silences_of
from tocsin_runtime import Clock
from tocsin_runtime.orders import Orders
from tocsin_schemas.events import OverrideSet, SilenceSet

__all__ = ["OrdersApi"]

E = TypeVar("E", SilenceSet, OverrideSet)

_MOST = 1000


class _OrderItem(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    state: OrderState
    begins_at: datetime
    ends_at: datetime
    because: str
    by: str
    set_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lifted_because: str | None


class _SilenceItem(_OrderItem):
    match: tuple[str, ...]


class _OverrideItem(_OrderItem):
    schedule: str
    person: str


class _SilenceList(BaseModel):
    silences: tuple[_SilenceItem, ...]


class _OverrideList(BaseModel):
    overrides: tuple[_OverrideItem, ...]


class OrdersApi:
    """Answers programs."""

    def __init__(self, orders: Orders, clock: Clock) -> None:
        self._orders, self._clock = orders, clock

    def routes(self) -> list[BaseRoute]:
        paths = {"/api/v1/silences": self.silences, "/api/v1/overrides": self.overrides}
        return [Route(path, answering(endpoint, problem_answer)) for path, endpoint in paths.items()]

    async def silences(self, request: Request) -> Response:
        """Those in force or to come, the one set last first; all of them with `all=true`."""
        chosen, now = self._chosen(request, silences_of(self._orders.history()))
        items = (_SilenceItem(**_common(each, now), match=each.event.match) for each in chosen)
        return json_answer(_SilenceList(silences=tuple(items)))

    async def overrides(self, request: Request) -> Response:
        """As `silences`."""
        chosen, now = self._chosen(request, overrides_of(self._orders.history()))
        items = (
            _OverrideItem(**_common(each, now), schedule=each.event.schedule, person=each.event.person)
            for each in chosen
        )
        return json_answer(_OverrideList(overrides=tuple(items)))

    def _chosen(self, request: Request, known: list[Order[E]]) -> tuple[list[Order[E]], datetime]:
        asked = Question.of(request, "all", "limit")
        every, limit, now = asked.yes_or_no("all"), asked.number("limit", _MOST, 1, _MOST), self._clock.now()
        return [each for each in known if every or each.stands(now)][:limit], now


def _common(order: Order[E], now: datetime) -> dict[str, object]:
    lifted = order.lifted
    return {
        "id": order.name,
        "state": order.state(now),
        "begins_at": order.event.begins_at,
        "ends_at": order.event.ends_at,
        "because": order.event.because,
        "by": order.event.by.name,
        "set_at": order.set_at,
        "lifted_at": lifted.at if lifted else None,
        "lifted_by": lifted.by.name if lifted else None,
        "lifted_because": lifted.because if lifted else None,
    }
