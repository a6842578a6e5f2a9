"""A playbook's own texts: a small part of Jinja, in a sandbox, so that no template can cost more than its own length.

Whoever may push a playbook decides what pages say, so templates are not an enemy's; but a mistake in one must not
stop the notifier. Only what texts need is understood: values, attributes, a few filters, `if`, and loops over the
lists of the incident, not inside of each other. No calls, no assignments, no arithmetic, no macros.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["TemplateProblemError", "render_template"]

MAX_TEMPLATE = 16_000
MAX_TEXT = 4_000
_MAX_LOOPS = 16
_MOST_ITEMS = 64
_FILTERS = frozenset(
    {
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "truncate",
        "default",
        "d",
        "length",
        "first",
        "last",
        "join",
        "items",
        "round",
        "int",
    }
)
_TESTS = frozenset({"defined", "undefined", "none", "string", "number"})
_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const,
    nodes.If, nodes.CondExpr, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Concat, nodes.Slice, nodes.Tuple, nodes.Keyword, nodes.Neg,
)  # fmt: skip


class TemplateProblemError(ValueError):
    """A template cannot be read or rendered; the message says why, for whoever wrote it."""


def render_template(text: str, facts: Mapping[str, object]) -> str:
    """The text with its places filled in, at most 4,000 characters. Raises TemplateProblemError."""
    template = _compiled(text)
    if isinstance(template, TemplateProblemError):
        raise template
    written, room = [], MAX_TEXT
    try:
        for piece in template.generate(facts):
            written.append(piece[:room])
            room -= len(piece)
            if room <= 0:
                break
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateProblemError(f"{type(error).__name__}: {error}"[:300]) from None
    rendered = "".join(written).strip()
    if not rendered:
        raise TemplateProblemError("the text is empty")
    return rendered


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template | TemplateProblemError:
    if len(text) > MAX_TEMPLATE:
        return TemplateProblemError(f"{len(text)} characters; at most {MAX_TEMPLATE} are allowed")
    try:
        tree = _ENVIRONMENT.parse(text)
        if problem := next(_not_allowed(tree), None):
            return TemplateProblemError(problem)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "bounded_list", [], [], None, None, lineno=loop.lineno)
        return _ENVIRONMENT.from_string(tree)
    except TemplateError as error:
        return TemplateProblemError(f"line {getattr(error, 'lineno', 1)}: {error}"[:300])
    except (RecursionError, SyntaxError, ValueError, MemoryError) as error:
        return TemplateProblemError(f"cannot be read: {type(error).__name__}")


def _not_allowed(tree: nodes.Template) -> Iterator[str]:
    """What a template may not do, as sentences."""
    loops = list(tree.find_all(nodes.For))
    if len(loops) > _MAX_LOOPS:
        yield f"more than {_MAX_LOOPS} loops"
    for loop in loops:
        if loop.recursive or any(loop.find_all(nodes.For)):
            yield f"line {loop.lineno}: a loop within a loop"
        if not isinstance(_without_filters(loop.iter), nodes.Getattr | nodes.Getitem):
            yield f"line {loop.lineno}: a loop goes over a list of the incident, such as incident.alerts"
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _NODES):
            yield f"line {node.lineno}: {type(node).__name__.lower()} is not allowed in a message"
        elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            yield f"line {node.lineno}: there is no filter {node.name!r}; there are {', '.join(sorted(_FILTERS))}"
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            yield f"line {node.lineno}: there is no test {node.name!r}; there are {', '.join(sorted(_TESTS))}"


def _without_filters(node: nodes.Node | None) -> nodes.Node | None:
    while isinstance(node, nodes.Filter):
        node = node.node
    return node


def _bounded_list(value: object) -> list[object]:
    """What a loop may go over: a list of ours, never the characters of a text."""
    if isinstance(value, list | tuple | Iterator):
        return list(islice(value, _MOST_ITEMS))
    raise TypeError("a loop goes over a list of the incident, such as incident.alerts")


def _join(value: object, separator: str = "") -> str:
    """Jinja's join, which would also make millions of characters of two texts."""
    return separator[:20].join(str(item) for item in _bounded_list(value))[:MAX_TEXT]


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the text is plain; each channel escapes all of it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        cache_size=0,
    )
    globals_: dict[str, Any] = environment.globals  # Any: jinja's own annotation
    globals_.clear()
    environment.filters["join"] = _join
    environment.filters["bounded_list"] = _bounded_list
    return environment


_ENVIRONMENT = _environment()
