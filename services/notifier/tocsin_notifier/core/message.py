"""A message as data: what is said, before any channel's way of showing it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin_playbook.model.communicate import TemplateName
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["Button", "Field", "Link", "Message", "ToDo", "Tone", "plain_text", "with_text"]

MAX_HEADLINE = 300


class Tone(StrEnum):
    """What a message asks of its reader."""

    ALARM = "alarm"  # somebody must act
    NEWS = "news"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Field:
    """A named value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to look. Made from settings and playbooks only, never from what an alert says."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class ToDo:
    """What the reader should do now: in words, as commands to type, and what happens otherwise."""

    what: str
    commands: tuple[str, ...] = ()
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """Something that its reader can ask for with one press, where a channel has buttons."""

    label: str
    command: str
    """The command's slug."""
    action: str = ""
    """The action that the command is about."""
    sure: str = ""
    """What the reader is asked before it is sent; not asked where empty."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to one recipient about one event. All text in it is plain text."""

    kind: TemplateName
    notification: str
    incident: str
    severity: str
    rank: int
    """0 for the most severe."""
    tone: Tone
    headline: str
    """How severe, what, since when: all that a locked telephone shows."""
    paragraphs: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    to_do: ToDo | None = None
    footer: str = ""
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()
    page: str | None = None
    is_the_authors: bool = False
    """Whether headline and paragraphs are a template's, whose author may use the channel's own markup."""

    @property
    def is_page(self) -> bool:
        return self.page is not None


def with_text(message: Message, text: str) -> Message:
    """The message with a template's text: its first line is the headline. How to act and where to look stay."""
    head, _, rest = clean_text(text).strip().partition("\n")
    return replace(
        message,
        headline=clean_line(head.strip(), MAX_HEADLINE),
        paragraphs=(rest.strip("\n"),) if rest.strip() else (),
        fields=(),
        is_the_authors=True,
    )


def plain_text(message: Message) -> str:
    """The whole message for channels that know only text."""
    width = max((len(field.label) for field in message.fields), default=0)
    blocks = [
        message.headline,
        *message.paragraphs,
        "\n".join(f"{field.label + ':':<{width + 1}} {field.value}" for field in message.fields),
        _to_do(message.to_do),
        "\n".join(f"{link.title}: {link.url}" for link in message.links),
        message.footer,
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _to_do(to_do: ToDo | None) -> str:
    if to_do is None:
        return ""
    lines = [f"To do: {to_do.what}", *(f"    {command}" for command in to_do.commands), to_do.otherwise]
    return "\n".join(line for line in lines if line)
