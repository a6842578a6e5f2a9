"""A document's events from libyaml, which reads many times as fast as ruamel.yaml, where both agree.

What a document means and what is said about it is for ruamel.yaml to tell. libyaml reads YAML 1.1 and is laxer in
places, so a document is left to ruamel.yaml (`NotSureError`) if libyaml refuses it, and where the two may differ:

- a tab, a carriage return, U+0085, U+2028, U+2029 or a byte order mark anywhere: they differ in what ends a line,
  where a tab may stand and which characters count as a column;
- a pair in a list, as `[a: b]`: to libyaml `["a":b]` and `[*a :b]` are pairs as well;
- a name of an anchor or alias that anything but a blank, `,`, `]` or `}` follows: `*a:` is the alias `a` to libyaml
  and the alias `a:` to ruamel.yaml;
- block text with a comment glued to its head, as `|#`, or with spaces alone on its first line: libyaml allows both.
  Also all block text that has a name;
- `...` at the end of the document: after it, libyaml is not as strict;
- a word or nothing as the whole document: block text may begin at the first column there, and libyaml puts the end
  of a text without a last line break into the next line.

Directives, tags, merge keys, a second document and everything else that a playbook may not hold: the reader of the
events has a problem with them whichever parser they come from, and asks ruamel.yaml then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

_STRANGE = ("\t", "\r", "\x85", "\u2028", "\u2029", "\ufeff")
_AFTER_NAME = frozenset(" \n,]}")
_BLOCK = frozenset("|>")
_LAX_HEAD = re.compile(r"[|>][-+0-9]*(?:#| *(?:#[^\n]*)?\n +\n)")


class NotSureError(Exception):
    """ruamel.yaml has to say what this document is."""


def events(text: str) -> Iterator[yaml.Event]:
    """The events of the text's documents, in order, with marks that count characters.

    Raises NotSureError, if need be after some events: what was made of them is void then.
    """
    if not yaml.__with_libyaml__ or any(character in text for character in _STRANGE):
        raise NotSureError
    try:
        parser = yaml.CBaseLoader(text)
        while (event := parser.get_event()) is not None:
            doubt = _DOUBTS.get(type(event))
            if doubt is not None and doubt(event, text):
                raise NotSureError
            yield event
    except (yaml.YAMLError, UnicodeEncodeError) as error:  # half a surrogate pair has no UTF-8
        raise NotSureError from error


def _name_ends_oddly(event: yaml.NodeEvent, text: str) -> bool:
    after = _begin(event) + 1 + len(event.anchor or "")
    return text[after : after + 1] not in _AFTER_NAME


def _is_lax_scalar(event: yaml.ScalarEvent, text: str) -> bool:
    if event.style in _BLOCK:  # where a name comes first, the head would have to be looked for
        return event.anchor is not None or _LAX_HEAD.match(text, _begin(event)) is not None
    return event.anchor is not None and _name_ends_oddly(event, text)


def _is_pair(event: yaml.MappingStartEvent, text: str) -> bool:
    return bool(event.flow_style) and event.anchor is None and text[_begin(event)] != "{"


def _has_end_mark(event: yaml.DocumentEndEvent, _: str) -> bool:
    return bool(event.explicit)


def _begin(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.index if mark is not None else 0


_DOUBTS: dict[type[yaml.Event], Callable[[Any, str], bool]] = {
    yaml.AliasEvent: _name_ends_oddly,
    yaml.DocumentEndEvent: _has_end_mark,
    yaml.ScalarEvent: _is_lax_scalar,
    yaml.MappingStartEvent: _is_pair,
}
