"""A payment provider: somebody else's service, which the shop reaches over HTTP and cannot repair."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from storefront.share import Spread


class Provider:
    """Charges cards: `POST /charges`, and says whether it would: `GET /ready`."""

    def __init__(self, name: str, takes: timedelta) -> None:
        self.name = name
        self.slowed_by = timedelta()
        self.failing_share = 0.0
        self._takes = takes
        self._spreads = {"/charges": Spread(), "/ready": Spread()}

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/charges", self._charge, methods=["POST"]), Route("/ready", self._ready)],
            max_body_size=4096,
        )

    async def _charge(self, request: Request) -> Response:
        order = (await request.json())["order"]
        if not await self._works("/charges"):
            return JSONResponse({"error": f"{self.name} is unavailable"}, 503)
        return JSONResponse({"charge": uuid4().hex, "order": order}, 201)

    async def _ready(self, _: Request) -> Response:
        works = await self._works("/ready")
        return JSONResponse({"ready": works}, 200 if works else 503)

    async def _works(self, path: str) -> bool:
        """Every request is slow, or fails, as the provider's state has it; there is no polite back door."""
        await asyncio.sleep((self._takes + self.slowed_by).total_seconds())
        return self._spreads[path].next() >= self.failing_share
