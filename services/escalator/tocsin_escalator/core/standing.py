"""What follows from a standing order: a silence or an override that is set or lifted, or why it cannot be."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import PydanticCustomError

from tocsin_playbook import Playbook
from tocsin_playbook.access import refusal
from tocsin_playbook.model.references import Matcher, parse_matcher
from tocsin_playbook.standing_orders import StandingOrders
from tocsin_schemas import Event
from tocsin_schemas.commands import LiftOverride, LiftSilence, OverrideOnCall, Silence
from tocsin_schemas.events import OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet
from tocsin_schemas.ids import derive_id
from tocsin_schemas.text import clean_line

__all__ = [
    "LONGEST",
    "MOST",
    "ORDER_COMMANDS",
    "TOO_WIDE",
    "OrderCommand",
    "could_match_everything",
    "decide_order",
    "order_id",
]

OrderCommand = Silence | LiftSilence | OverrideOnCall | LiftOverride
ORDER_COMMANDS = (Silence, LiftSilence, OverrideOnCall, LiftOverride)

LONGEST = timedelta(days=365)
"""How far ahead an order may end. What is to last for ever belongs into the playbook, where it is reviewed."""

MOST = 500
"""How many silences, or overrides, may stand at a time: each alert is held against each."""


TOO_WIDE = (
    "the silence could match every alert: at least one matcher must name a value, "
    'such as service="shop" or pod=~"web-.*"'
)


class _CannotBeError(ValueError):
    """Why the order cannot be given."""


def order_id(command: str) -> str:
    """What the silence or the override that this command asks for is called."""
    return derive_id("order", command).replace("-", "")[:10]


def decide_order(
    orders: StandingOrders, command: OrderCommand, playbooks: Sequence[Playbook], name: str, now: datetime
) -> Event:
    """The one event that answers a command. `name`: what the new order is called; `playbooks`: those in force."""
    try:
        if (refused := refusal(playbooks, command.by, command, now)) is not None:
            raise _CannotBeError(refused)
        match command:
            case Silence():
                return _silenced(orders.at(now), command, name, now)
            case OverrideOnCall():
                return _overridden(orders.at(now), command, playbooks, name, now)
            case LiftSilence(silence=lifted):
                if orders.at(now).silence(lifted) is None:
                    raise _CannotBeError(f"there is no silence {lifted}, or it is over")
                return SilenceLifted(silence=lifted, because=command.because, by=command.by)
            case LiftOverride(override=lifted):
                if orders.at(now).override(lifted) is None:
                    raise _CannotBeError(f"there is no override {lifted}, or it is over")
                return OverrideLifted(override=lifted, because=command.because, by=command.by)
    except _CannotBeError as error:
        return OrderRejected(command=type(command).__name__, reason=clean_line(str(error)), by=command.by)


# --- silences ---------------------------------------------------------------------------------------------------------


def _silenced(orders: StandingOrders, command: Silence, name: str, now: datetime) -> SilenceSet:
    matchers = [_matcher(text) for text in command.match]
    if could_match_everything(matchers):
        raise _CannotBeError(TOO_WIDE)
    if len(orders.silences) >= MOST:
        raise _CannotBeError(f"{MOST} silences stand already: lift some first")
    begins_at = _beginning(command.begins_at, command.until, now)
    return SilenceSet(
        silence=name,
        match=command.match,
        begins_at=begins_at,
        ends_at=command.until,
        because=command.because,
        by=command.by,
    )


def _matcher(text: str) -> Matcher:
    try:
        return parse_matcher(text)
    except PydanticCustomError as error:
        context = error.context or {}
        raise _CannotBeError(f"match: {text[:200]}: {error.message()}; expected {context['expected']}") from None


def could_match_everything(matchers: Sequence[Matcher]) -> bool:
    """Whether none of these matchers, which must all hold, names a value."""
    return not any(_names_a_value(matcher) for matcher in matchers)


def _names_a_value(matcher: Matcher) -> bool:
    """Whether it fits neither an alert without the label nor one with just any value of it.

    Alertmanager asks for the first only; but `alertname!=""` fits everything as well.
    """
    if matcher.operator == "=":
        return matcher.value != ""
    words = matcher.value.split("|")
    return matcher.operator == "=~" and all(word.replace(".*", "").replace(".+", "") for word in words)


# --- overrides --------------------------------------------------------------------------------------------------------


def _overridden(
    orders: StandingOrders, command: OverrideOnCall, playbooks: Sequence[Playbook], name: str, now: datetime
) -> OverrideSet:
    having = [each for each in playbooks if any(own.name == command.schedule for own in each.oncall.schedules)]
    if not having:
        raise _CannotBeError(f"no playbook in force has a schedule {command.schedule}")
    if not any(person.name == command.person for each in having for person in each.oncall.people):
        raise _CannotBeError(f"no playbook in force with the schedule {command.schedule} has a person {command.person}")
    if len(orders.overrides) >= MOST:
        raise _CannotBeError(f"{MOST} overrides stand already: lift some first")
    begins_at = _beginning(command.begins_at, command.until, now)
    return OverrideSet(
        override=name,
        schedule=command.schedule,
        person=command.person,
        begins_at=begins_at,
        ends_at=command.until,
        because=command.because,
        by=command.by,
    )


# --- both -------------------------------------------------------------------------------------------------------------


def _beginning(begins_at: datetime | None, until: datetime, now: datetime) -> datetime:
    """When it begins: not before it was decided on."""
    if until <= now:
        raise _CannotBeError(f"until: {_shown(until)} has passed")
    if begins_at is not None and until <= begins_at:
        raise _CannotBeError(f"until: it ends at {_shown(until)}, before it begins")
    if until - now > LONGEST:
        raise _CannotBeError(f"until: {_shown(until)} is more than {LONGEST.days} days ahead")
    return now if begins_at is None else max(begins_at, now)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
