"""What people ask for over HTTP: from fields to a command, from the command to what came of it.

Who may ask for what is decided where it is carried out, and answered from there. Here it is only checked that what is
asked for can be read.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import ValidationError

from tocsin_recorder.adapters.asked import found_incident
from tocsin_recorder.adapters.database import DatabaseUnavailableError
from tocsin_recorder.adapters.harmless import Problem
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.core.order_sentences import ORDERS, order_sentence
from tocsin_recorder.core.sentences import sentence
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.asking import Answer, Asking
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_schemas import COMMANDS, Actor, Command, Event
from tocsin_schemas.commands import AcknowledgeAlert

__all__ = ["BY_SLUG", "Doing", "words_for"]

log = structlog.get_logger(__name__)

BY_SLUG: Mapping[str, type[Command]] = {
    command.SLUG: command for command in COMMANDS.values() if command is not AcknowledgeAlert
}
"""Every command that is answered to who asks. Who comes here knows the incident; an alert is acknowledged by others."""

_INCIDENTS = ("incident", "into", "other")
"""Fields that name an incident: there its beginning is enough."""

_WHOLE_ID = re.compile(r"[a-z2-7]{12}")


class Doing:
    """Asks for a person."""

    def __init__(self, asking: Asking, queries: Queries) -> None:
        self._asking, self._queries = asking, queries

    async def command(self, kind: type[Command], fields: Mapping[str, Any], by: Actor) -> Command:
        """The command of these fields (`Any`: as JSON has them). Raises Problem with the name of the field that is
        wrong, or where there is no such incident."""
        known = [name for name in kind.model_fields if name != "by"]
        if unknown := [name for name in fields if name not in known]:
            raise _wrong(unknown[0][:64], f"there is no such field; {kind.SLUG} takes {', '.join(known)}")
        stated = dict(fields)
        for name in _INCIDENTS:
            if name in known and isinstance(stated.get(name), str):
                stated[name] = await self._incident(stated[name])
        document = json.dumps({**stated, "by": by.model_dump()})
        try:
            return kind.model_validate_json(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise _wrong(".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")) from None

    async def do(self, command: Command, cause: str, again: str = "in the same way") -> Answer:
        """What came of it. Asked again with the same cause, it is not done again; `again` says how that is done. Raises
        Problem while NATS is away."""
        try:
            return await self._asking.ask(command, cause)
        except NotAllowedError as error:
            log.error("nats refuses the commands of people", command=type(command).__name__, reason=str(error))
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "NATS does not let the recorder ask for anything: nothing was done. `tocsin nats-config` prints what "
                "it must be allowed.",
            ) from None
        except BusUnavailableError as error:
            log.warning("a command was not confirmed", command=type(command).__name__, reason=str(error))
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"NATS did not confirm it, and it may have been sent: ask again {again}, and it is done once.",
            ) from None

    async def _incident(self, typed: str) -> str:
        """Who wants to stop a page need not wait for the timeline, which may not have the incident yet: what can be a
        whole id is asked for as it is."""
        name = typed.strip().lower()
        try:
            return await found_incident(self._queries, typed)
        except DatabaseUnavailableError:
            if _WHOLE_ID.fullmatch(name):
                return name
            raise
        except Problem as problem:
            if problem.status is HTTPStatus.NOT_FOUND and _WHOLE_ID.fullmatch(name):
                return name
            raise


def words_for(event: Event) -> str:
    """What happened, on one line."""
    return order_sentence(event) if type(event) in ORDERS else sentence(event)


def _wrong(field: str, reason: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {reason}.", field=field)
