"""The demonstration on a terminal: live while it happens, or line by line where the output is a file."""

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tocsin.demo.story import Outside, Story
from tocsin_recorder.core.sentences import sentence
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    DeadlineMissed,
    DeadlineSet,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentOpened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    VerificationPassed,
)

__all__ = ["Screen"]

_LEFT_OUT = (DeadlineSet, AlertGrouped)
_COLOURS = {"escalator": "cyan", "remediator": "magenta", "notifier": "green", "recorder": "blue"}
_PHASES = ("detect", "respond", "mitigate", "monitor", "resolved")
_TALL = 26


class Screen:
    """Shows what is known so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None
        self._told = 0
        self._lines: list[Text] = []

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def headline(self, text: str) -> None:
        """One line of what is being done now."""
        self._add(Text.assemble(("        ", ""), (text, "bold")))

    def show(self, events: Sequence[Envelope[Payload]], story: Story, outside: Outside, start: float) -> None:
        """Everything new, and where things stand. `start` is when the shop was broken (seconds since 1970)."""
        elapsed = time.time() - start
        for event in events[self._told :]:
            self._told += 1
            if isinstance(event.data, Event) and not isinstance(event.data, _LEFT_OUT):
                self._add(_line(event, start))
        if self._live is not None:
            self._live.update(self._picture(events, story, outside, elapsed))

    def _add(self, line: Text) -> None:
        self._lines.append(line)
        if self._live is None:
            self._console.print(line)

    def _picture(
        self, events: Sequence[Envelope[Payload]], story: Story, outside: Outside, elapsed: float
    ) -> RenderableType:
        phase = _phase(events)
        bar = Text("  ")
        for name in _PHASES:
            done = _PHASES.index(name) < _PHASES.index(phase)
            style = "bold reverse" if name == phase else ("green" if done else "dim")
            bar.append(f" {name} ", style)
            bar.append("  ")
        bar.append(f"  {max(elapsed, 0):5.1f} s", "bold")
        facts = Table.grid(padding=(0, 2))
        facts.add_row("shop", Text("healthy", "green") if outside.shop_is_healthy else Text("broken", "bold red"))
        facts.add_row("Slack", f"{outside.slack_messages} messages")
        facts.add_row("mail", f"{outside.mails} messages")
        facts.add_row(
            "done to the shop",
            ", ".join(f"{name} {count} x" for name, count in outside.executions.items()) or "nothing",
        )
        steps = Text()
        for step in story.steps:
            seen = story.seen.get(step.name)
            steps.append(f"{'✓' if seen is not None else '·'} {step.name}\n", "green" if seen is not None else "dim")
        timeline = Panel(Group(*self._lines[-_TALL:]), title="timeline", height=_TALL + 2, border_style="dim")
        side = Panel(Group(facts, Text(), steps), title="what must happen", border_style="dim", height=_TALL + 2)
        body = Table.grid(expand=True)
        body.add_column(ratio=3)
        body.add_column(ratio=2)
        body.add_row(timeline, side)
        return Group(bar, body)


def _line(event: Envelope[Payload], start: float) -> Text:
    data = event.data
    assert isinstance(data, Event)  # noqa: S101  # the caller shows nothing else
    service = data.OWNER
    weight = "bold" if isinstance(data, _WEIGHTY) else ""
    return Text.assemble(
        (f"{event.time.timestamp() - start:+6.1f} s ", "dim"),
        (f"{service:<11}", _COLOURS.get(service, "")),
        (sentence(data), weight),
    )


_WEIGHTY = (IncidentOpened, ResponderPaged, IncidentEscalated, VerificationPassed, IncidentResolved)


def _phase(events: Sequence[Envelope[Payload]]) -> str:
    phase = "detect"
    for event in events:
        match event.data:
            case IncidentOpened() | ResponderPaged():
                phase = "respond" if phase == "detect" else phase
            case IncidentMonitoring():
                phase = "monitor"
            case IncidentResolved():
                phase = "resolved"
            case NotificationDelivered() | AlertCleared() | DeadlineMissed():
                pass
            case other if isinstance(other, Event) and other.OWNER == "remediator" and phase == "respond":
                phase = "mitigate"
            case _:
                pass
    return phase
