"""Messages and letters for tests of the channels."""

from notifier_builders import INCIDENT, NOW, Log, grouped, opened, paged, playbook, rulebook

from tocsin_notifier.adapters.sending import Letter
from tocsin_notifier.core.message import Field, Link, Message, ToDo, Tone
from tocsin_notifier.core.render import render
from tocsin_notifier.core.scene import Scene
from tocsin_playbook.model.channels import Channel


def a_page() -> Message:
    """The page that opens an incident."""
    book = rulebook()
    log = Log(opened(), grouped())
    (told,) = log.told(log.add(paged()))
    return render(Scene(log.incident, told, book.playbook, NOW, "https://tocsin.shop.example"))


def a_message(text: str = "31 % of checkouts fail", **given: object) -> Message:
    """A message in which every text is `text`."""
    values: dict[str, object] = {
        "kind": "page", "notification": "0b0c1d0e-0000-5000-8000-000000000001", "incident": INCIDENT, "severity": "P0",
        "rank": 0, "tone": Tone.ALARM, "headline": text, "paragraphs": (text, text), "page": "p1",
        "fields": (Field("Impact", text), Field("Firing", text)), "to_do": ToDo("acknowledge it", (text,), text),
        "footer": text, "links": (Link(text[:100], "https://tocsin.shop.example/incidents/1?a=1&b=2"),),
    }  # fmt: skip
    return Message(**(values | given))  # type: ignore[arg-type]  # fields of a message, by name


def channel(name: str, **given: object) -> Channel:
    """A channel of the tests' playbook."""
    return playbook(**given).channel(name)


def a_letter(message: Message | None = None, *, via: Channel, address: str = "#incidents", **more: object) -> Letter:
    return Letter(message or a_page(), via, address, **more)  # type: ignore[arg-type]  # passed through
