"""The operator's side of the shop: break it, fix it, and see what was done. Actions honour Idempotency-Key."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from storefront.errors import ShopError
from storefront.faults import Faults
from storefront.fields import Fields, read_fields
from storefront.gateway import ProviderName
from storefront.ledger import Ledger, fingerprint
from storefront.store import Store

Effect = Callable[[Fields], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Admin:
    store: Store
    faults: Faults
    ledger: Ledger
    token: str | None

    def routes(self) -> list[Route]:
        actions: dict[str, Effect] = {
            "cache/clear": self._clear_cache,
            "payments/failover": self._fail_over,
            "payments/failback": self._fail_back,
            "restart": self._restart,
            "rollback": self._roll_back,
        }
        return [
            *(
                Route(f"/admin/{name}", self._endpoint(name, effect), methods=["POST"])
                for name, effect in actions.items()
            ),
            Route("/admin/faults", self._list_faults),
            Route("/admin/faults/{name}", self._switch_on, methods=["POST"]),
            Route("/admin/faults/{name}", self._switch_off, methods=["DELETE"]),
            Route("/admin/executions", self._list_executions),
            Route("/admin/executions/{key:path}", self._find_execution),
        ]

    def _clear_cache(self, _: Fields) -> dict[str, object]:
        return {"cleared_entries": self.store.catalogue.cache.clear()}

    def _fail_over(self, _: Fields) -> dict[str, object]:
        return self._use(ProviderName.BACKUP)

    def _fail_back(self, _: Fields) -> dict[str, object]:
        return self._use(ProviderName.PRIMARY)

    def _use(self, provider: ProviderName) -> dict[str, object]:
        previous, self.store.gateway.active = self.store.gateway.active, provider
        return {"active": provider, "previous": previous}

    def _restart(self, _: Fields) -> dict[str, object]:
        """What lives in the process's memory is gone afterwards; what is configured or deployed is not."""
        return {
            "freed_bytes": self.store.leak.free(),
            "dropped_carts": self.store.carts.drop_all(),
            "cleared_entries": self.store.catalogue.cache.clear(),
        }

    def _roll_back(self, _: Fields) -> dict[str, object]:
        return {"version": self.store.releases.roll_back().version}

    async def _switch_on(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._perform(request, f"faults/{name}:on", lambda fields: self.faults.switch_on(name, fields))

    async def _switch_off(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._perform(request, f"faults/{name}:off", lambda _: self.faults.switch_off(name))

    async def _list_faults(self, request: Request) -> Response:
        self._authorise(request)
        return JSONResponse(self.faults.body())

    async def _list_executions(self, request: Request) -> Response:
        self._authorise(request)
        return JSONResponse(self.ledger.body())

    async def _find_execution(self, request: Request) -> Response:
        self._authorise(request)
        return JSONResponse(self.ledger.find(request.path_params["key"]).body())

    def _endpoint(self, action: str, effect: Effect) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            return await self._perform(request, action, effect)

        return endpoint

    async def _perform(self, request: Request, action: str, effect: Effect) -> Response:
        """Runs the effect, or answers as the first time if its key has been here before.

        From looking up the key to recording it nothing is awaited, so two requests at once cannot both run it.
        An effect that raises has not run, and is not recorded.
        """
        self._authorise(request)
        body = await request.body()
        key = request.headers.get("Idempotency-Key")
        asked = fingerprint(request.method, request.url.path, body)
        if key is not None and (earlier := self.ledger.replay(key, asked)):
            return JSONResponse(earlier.answer, headers={"Idempotent-Replayed": "true"})
        execution = self.ledger.record(action, key, asked, effect(read_fields(body)))
        return JSONResponse(execution.answer)

    def _authorise(self, request: Request) -> None:
        if self.token is None:
            return
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode("latin-1"), f"Bearer {self.token}".encode()):
            raise ShopError(401, "Authorization must be 'Bearer' and the shop's admin token", "Authorization")
