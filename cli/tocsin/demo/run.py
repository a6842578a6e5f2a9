"""The demonstration itself: break the shop, watch, and say whether everything that must happen did."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
from rich.console import Console

from tocsin.demo.screen import Screen
from tocsin.demo.stage import Stage, set_up, storefront_playbook, without_runbooks
from tocsin.demo.story import Outside, Story, escalation, mitigation
from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.logs import configure_logging
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.subjects import INCIDENTS

__all__ = ["demonstrate"]

FAULT = "failing-dependency"
PATIENCE = 60.0
"""Seconds after which what has not happened will not."""
WARM_UP = 4.0
"""Seconds of healthy traffic before the shop is broken, so that there is something to compare with."""


def demonstrate(console: Console, *, with_runbook: bool, keep: bool) -> int:
    """Run it; the answer is 0 only if every step happened."""
    configure_logging("pretty", "error")
    story = mitigation() if with_runbook else escalation()
    playbook = storefront_playbook()
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True))
        )
        began = time.monotonic()
        stage = set_up(stack, folder, playbook if with_runbook else without_runbooks(playbook))
        console.print(
            f"A shop with real traffic, Slack and mail on this machine, and [bold]tocsin up[/bold]: "
            f"ready after {time.monotonic() - began:.1f} s.\n"
        )
        incidents, page_ok = asyncio.run(_watch(console, stage, story))
        status = _verdict(console, story, page_ok)
        for incident in incidents:
            console.print(f"\nTimeline  {stage.tocsin.url}/incidents/{incident}")
        console.print(f"Slack     {stage.slack.url}")
        if keep:
            _wait_for_enter(console)
        else:
            console.print("[dim]It has been stopped; `tocsin demo --keep` leaves it running to look around.[/dim]")
    return status


async def _watch(console: Console, stage: Stage, story: Story) -> tuple[Sequence[str], bool]:
    reach = stage.tocsin.reach
    connection = Connection(Address(reach.nats_url, "operator", stage.tocsin.place.passwords()["operator"]), "operator")
    await connection.open()
    events: list[Envelope[Payload]] = []

    async def take(batch: Sequence[Envelope[Payload]]) -> None:
        events.extend(batch)

    follower = Follower(connection, "INCIDENTS", (INCIDENTS,), take, service="operator")
    await follower.start()
    outside = Outside()
    try:
        async with httpx.AsyncClient(base_url=stage.shop.url, timeout=2, trust_env=False) as shop:
            with Screen(console) as screen:
                screen.headline("customers browse and buy; all is well")
                await asyncio.sleep(WARM_UP)
                (await shop.post(f"/admin/faults/{FAULT}", json={"share": 0.9})).raise_for_status()
                screen.headline("the payment provider breaks: nine of ten checkouts fail")
                start = time.time()
                while time.time() - start < PATIENCE and not story.is_complete:
                    await _look_around(stage, shop, outside)
                    elapsed = time.time() - start
                    story.look(events, outside, elapsed)
                    screen.show(events, story, outside, start)
                    await asyncio.sleep(0.1)
        incidents = list(dict.fromkeys(event.incident for event in events))
        return incidents, await _pages_are_served(reach.console_url, incidents)
    finally:
        await follower.stop()
        await connection.close()


async def _look_around(stage: Stage, shop: httpx.AsyncClient, outside: Outside) -> None:
    outside.slack_messages = len(stage.slack.messages)
    outside.mails = len(stage.mail.mails)
    with suppress(httpx.HTTPError):  # a broken shop may not answer; the next look will tell
        outside.shop_is_healthy = (await shop.get("/health")).is_success
        done = (await shop.get("/admin/executions")).json()
        mended = {str(name): int(count) for name, count in done["by_action"].items() if not name.startswith("faults/")}
        outside.executions = mended


async def _pages_are_served(console_url: str, incidents: Sequence[str]) -> bool:
    async with httpx.AsyncClient(base_url=console_url, timeout=5, trust_env=False) as console:
        pages = [await console.get(f"/incidents/{incident}") for incident in incidents]
        return bool(pages) and all(page.is_success for page in pages)


def _verdict(console: Console, story: Story, page_ok: bool) -> int:
    console.print()
    for step in story.steps:
        seen = story.seen.get(step.name)
        if seen is None:
            console.print(f"  [red]✗[/red] {step.name}")
        else:
            console.print(f"  [green]✓[/green] {step.name}  [dim]{seen:.1f} s[/dim]")
    if not page_ok:
        console.print("  [red]✗[/red] the timeline page is served")
    if story.missing or not page_ok:
        console.print("\n[bold red]Something that must happen did not.[/bold red]")
        return 1
    console.print("\n[bold green]Everything that must happen did.[/bold green]")
    return 0


def _wait_for_enter(console: Console) -> None:
    with suppress(EOFError, KeyboardInterrupt):
        console.input("\nEverything still runs. Look around, then press Enter. ")
