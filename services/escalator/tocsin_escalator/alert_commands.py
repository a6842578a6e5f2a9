"""Commands about an alert, from who knows no incidents: each becomes the command about the incident that has it."""

from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.search import W, alert_key, find_slot_now
from tocsin_runtime import RefusedError
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.commands import Acknowledge, AcknowledgeAlert
from tocsin_schemas.events import AlertResolved

__all__ = ["PAUSES", "UnknownAlertError", "about_its_incident"]

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds until an alert that no incident has is looked for again: the alert and the command come by different streams,
and a replica that was killed holds its messages for a while."""


class UnknownAlertError(RefusedError):
    """No incident has the alert; there is no log to answer in."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"no incident has this firing of {rule}")


async def about_its_incident(
    work: W,
    message: Envelope[Payload],
    command: AcknowledgeAlert,
    rulebooks: Rulebooks,
    index: IncidentIndex,
    tries: int,
) -> Acknowledge | float:
    """The same about the incident that has the alert, or the seconds until it is to be looked for again. `tries`: how
    often this message has come. Raises UnknownAlertError."""
    has_waited = tries > len(PAUSES)
    firing = _firing(message, command)
    if (rulebook := rulebooks.of_alert(firing, waited=has_waited)) is not None:
        slot, state = await find_slot_now(work, message, firing, rulebook, index)
        if state.knows(alert_key(firing)):
            return Acknowledge(incident=slot.incident, by=command.by)
    if has_waited:
        raise UnknownAlertError(command.rule)
    return PAUSES[tries - 1]


def _firing(message: Envelope[Payload], command: AcknowledgeAlert) -> AlertResolved:
    """The alert, as what is looked for: its end is found by its fingerprint, episode and labels too."""
    return AlertResolved(
        fingerprint=command.fingerprint,
        episode=command.episode,
        rule=command.rule,
        labels=command.labels,
        source=command.rule,
        ends_at=message.time,
    )
