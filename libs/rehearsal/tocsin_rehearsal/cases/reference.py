"""The reference of the test format as Markdown, from the models' own descriptions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from tocsin_playbook.model.base import Section
from tocsin_rehearsal.cases.model import CaseFile, ChannelTrouble, World

_INTRODUCTION = """# Tests of a playbook

*Made from `libs/rehearsal` by `make docs`; do not edit.*

A test file stands beside the playbook and is run by `tocsin test`. Each of its tests says what is given, what is done
at which times, and what is expected. All times are counted from the start of the test: `5m` is five minutes after it.

```yaml
apiVersion: tocsin/v1
kind: PlaybookTest
playbook: ../playbook.yaml

tests:
  - name: whoever acknowledges is the only one who is woken
    given:
      series:
        shop:
          checkout_errors_total{code="500"}: 0+10x100
    at:
      - {at: 5m, do: {acknowledge: ada}}
    expect:
      - {by: 2m, alerts: CheckoutErrors, incident: triggered}
      - {between: [0s, 2m], pages: {who: ada, channel: slack}}
      - {between: [5m, 20m], nobody_paged: true}
```

Where a key is marked with *, its text may stand for the whole mapping: `acknowledge: ada` is
`acknowledge: {by: ada}`.

## What the times of an expectation mean

| | a page, an action, a message, an event | an alert, an incident, a deadline |
| --- | --- | --- |
| `at: 5m` | happens within the second that begins then | is so at some moment of that second |
| `by: 5m` | happens before or then | is so then |
| `between: [5m, 10m]` | happens in this time | is so at some moment of it; what must not be, at none |
| `throughout: [5m, 10m]` | happens in this time | is so at every moment of it |
| `throughout: true` | happens in the test | is so at every moment of the test |

Two items of a list are met by two happenings: who expects two pages to ada sees one page as a difference.
"""


_OURS = CaseFile.__module__.rpartition(".")[0]


def reference() -> str:
    """The page."""
    sections = list(_sections(CaseFile))
    shorts = {name: short for section in sections for name, short in _shorthands(section)}
    pages = (_section(section, shorts.get(section.__name__)) for section in sections)
    return "".join((_INTRODUCTION, *pages))


def _sections(root: type[Section]) -> Iterator[type[Section]]:
    """Every section, those that come first in a file first."""
    found = [root]
    for section in found:
        yield section
        inner = [each for field in section.model_fields.values() for each in _inside(field.annotation)]
        if issubclass(section, World):
            inner.append(ChannelTrouble)
        found += [each for each in dict.fromkeys(inner) if each not in found]


def _inside(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section) and annotation.__module__.startswith(_OURS):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)


def _section(section: type[Section], short: str | None) -> str:
    schema = section.model_json_schema(by_alias=True)
    required, shared = set(schema.get("required", ())), schema.get("$defs", {})
    about = " ".join((inspect.getdoc(section) or "").split())
    says = {field.alias or name: field.description or "" for name, field in section.model_fields.items()}
    rows = "".join(
        f"| `{name}`{'*' if name == short else ''} | {_type(of, shared)}{'' if name in required else ' (optional)'} "
        f"| {says[name]} |\n"
        for name, of in schema["properties"].items()
    )
    if isinstance(extra := schema.get("additionalProperties"), Mapping):
        rows += f"| *a channel* | {_type(extra, shared)} (optional) | What happens to messages in this channel. |\n"
    return f"\n## {_title(section.__name__)}\n\n{about}\n\n| key | | what it says |\n| --- | --- | --- |\n{rows}"


def _title(name: str) -> str:
    if name.endswith("Expected"):
        return f"Expected {name.removesuffix('Expected').lower()}"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return words[:1].upper() + words[1:]


def _type(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    """What may stand there, in words. `shared`: the schema's `$defs`."""
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rsplit("/", 1)[-1]
            if "properties" not in shared.get(name, {}):
                return _type(shared.get(name, {}), shared)
            title = _title(name).lower()
            return f"[{title}](#{title.replace(' ', '-')})"
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            kinds = [_type(each, shared) for each in options if each.get("type") != "null" and not _is_short(each)]
            return " or ".join(dict.fromkeys(_several(kind, kinds) for kind in kinds))
        case {"enum": [*words]}:
            return ", ".join(f"`{word}`" for word in words)
        case {"const": word}:
            return f"`{str(word).lower() if isinstance(word, bool) else word}`"
        case {"type": "array", "maxItems": 2, "minItems": 2}:
            return "two times"
        case {"type": "array", "items": Mapping() as item}:
            return f"{_LIST}{_type(item, shared)}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            return f"mapping to {_type(values, shared)}"
        case {"type": "string", "examples": [*examples]}:
            word = "time" if _TIME.fullmatch(str(examples[0])) else "text"
            return f"{word} such as `{examples[-1]}`"
        case _:
            return _WORDS.get(str(schema.get("type")), "anything")


def _several(kind: str, kinds: list[str]) -> str:
    """`X or a list of them`, where both may stand."""
    one = kind.removeprefix(_LIST)
    return f"{one} or a list of them" if {one, _LIST + one} <= set(kinds) else kind


def _is_short(schema: Mapping[str, Any]) -> bool:
    return str(schema.get("description", "")).startswith("for short: ")


_LIST = "list of "
_TIME = re.compile(r"[0-9]+(ms|s|m|h|d)")
_WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "array": "list",
}


def _shorthands(section: type[Section]) -> Iterator[tuple[str, str]]:
    """Sections for which a text may stand, and the key that it then is."""
    for of in section.model_json_schema(by_alias=True)["properties"].values():
        yield from _short_in(of)


def _short_in(schema: Any) -> Iterator[tuple[str, str]]:  # Any: JSON
    if isinstance(schema, list):
        for each in schema:
            yield from _short_in(each)
    if not isinstance(schema, Mapping):
        return
    options = schema.get("anyOf", ())
    refs = [str(each["$ref"]).rsplit("/", 1)[-1] for each in options if "$ref" in each]
    for each in options:
        if _is_short(each) and refs:
            yield refs[0], str(each["description"]).split("`")[1]
    for value in schema.values():
        yield from _short_in(value)
