"""The event catalogue: `docs/events.md`."""

import inspect
from collections.abc import Iterable

from tocsin_schemas import ALERT_EVENTS, COMMANDS, INCIDENT_EVENTS, SIGNALS, Payload
from tocsin_schemas.payload import Command, Event
from tocsin_schemas.subjects import command_subject

__all__ = ["catalogue"]

_INTRODUCTION = """# Events, commands and signals

*Made from `libs/schemas` by `make docs`; do not edit.*

Every message is a [CloudEvent](https://cloudevents.io) in NATS binary mode: its attributes are headers (`ce-id`,
`ce-type`, `ce-source`, `ce-time`, `ce-subject` with the incident's id, `ce-causationid` with the id of the message that
brought it about), its data is JSON. The id of an event is derived from its cause, so the same cause handled twice
makes the same event, and the log takes it once. Where a decision has several events, `ce-together` in each of them is
how many, so that one of which a part was written (the disk was full) is seen and completed. JSON Schemas are in
[`schemas/`](schemas).
"""


def catalogue() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    owners = dict.fromkeys(event.OWNER for event in (*ALERT_EVENTS, *INCIDENT_EVENTS))
    for owner in owners:
        parts.append(f"\n## Facts stated by the {owner}\n")
        parts += [_event(event) for event in (*ALERT_EVENTS, *INCIDENT_EVENTS) if owner == event.OWNER]
    parts.append("\n## Commands\n")
    parts += [_entry(model, command_subject(model)) for model in COMMANDS.values() if issubclass(model, Command)]
    parts.append("\n## Signals\n")
    parts += [_entry(model, "") for model in SIGNALS.values()]
    return "".join(parts)


def _event(event: type[Event]) -> str:
    if event.OWNER == "detector":
        return _entry(event, "tocsin.alerts.{shard}")
    return _entry(event, f"tocsin.incidents.{{incident}}.{event.OWNER}.{event.SLUG}")


def _entry(model: type[Payload], subject: str) -> str:
    place = f"`{subject}`\n\n" if subject else ""
    rows = "".join(_rows(model))
    table = f"| field | type | what it says |\n| --- | --- | --- |\n{rows}\n" if rows else ""
    return f"\n### {model.__name__}\n\n{inspect.getdoc(model)}\n\n{place}{table}"


def _rows(model: type[Payload]) -> Iterable[str]:
    properties = model.model_json_schema().get("properties", {})
    required = set(model.model_json_schema().get("required", ()))
    for name, schema in properties.items():
        optional = "" if name in required else " (optional)"
        description = str(schema.get("description", "")).replace("|", "\\|").replace("\n", " ")
        yield f"| `{name}` | {_type(schema)}{optional} | {description} |\n"


def _type(schema: dict[str, object]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema and isinstance(options := schema["anyOf"], list):
        kinds = [_type(option) for option in options if option.get("type") != "null"]
        return " or ".join(kinds)
    if "enum" in schema and isinstance(words := schema["enum"], list):
        return ", ".join(f"`{word}`" for word in words)
    if "const" in schema:
        return f"`{schema['const']}`"
    form = schema.get("format")
    return f"{schema.get('type', 'any')}{f' ({form})' if form else ''}"
