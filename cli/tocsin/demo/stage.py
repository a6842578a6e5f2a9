"""What the demonstration needs around it: the shop, its customers, Slack and mail on this machine, and Tocsin.

Each is a process of its own (Slack and mail: threads), on free ports, and ends with the demonstration.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from tocsin.place import Place, Reach
from tocsin_testkit.processes import ServerProcess
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.smtp import SmtpSink

__all__ = ["Stage", "set_up", "storefront_playbook", "without_runbooks"]

SLACK_TOKEN = "xoxb-demonstration"  # noqa: S105  # of the Slack double on this machine, nothing else


class Shop(ServerProcess):
    """The storefront."""

    name = "storefront"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "storefront", "--port", str(self.port)]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def is_ready(self) -> bool:
        return _answers(f"{self.url}/health/live")


class Customers(ServerProcess):
    """The load generator: there when it runs."""

    name = "customers"

    def __init__(self, folder: Path, shop: Shop, rate: int) -> None:
        super().__init__(folder)
        self._shop, self._rate = shop, rate

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "storefront.load", "--url", self._shop.url, "--rate", str(self._rate)]

    @property
    def url(self) -> str:
        return self._shop.url

    def is_ready(self) -> bool:
        return True


class Tocsin(ServerProcess):
    """`tocsin up` with the playbook."""

    name = "tocsin"

    def __init__(self, folder: Path, playbook: Path) -> None:
        super().__init__(folder, start_timeout=timedelta(seconds=30), grace=timedelta(seconds=15))
        self.place = Place(folder / "data")
        self._playbook = playbook

    def command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "tocsin", "up", "--any-port", "--log-format", "json"),
            *("--data", str(self.place.folder), "--playbook", str(self._playbook)),
        ]

    @property
    def url(self) -> str:
        return self.reach.console_url

    @property
    def reach(self) -> Reach:
        found = self.place.reach()
        if found is None:
            raise RuntimeError("tocsin is not running")
        return found

    def is_ready(self) -> bool:
        return self.place.reach() is not None


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is up."""

    shop: Shop
    slack: SlackDouble
    mail: SmtpSink
    tocsin: Tocsin


def set_up(stack: ExitStack, folder: Path, playbook: str) -> Stage:
    """Start everything; what is entered into `stack` ends with it."""
    os.environ["TOCSIN_SLACK_TOKEN"] = SLACK_TOKEN
    slack = stack.enter_context(SlackDouble(token=SLACK_TOKEN))
    mail = stack.enter_context(SmtpSink())
    shop = stack.enter_context(Shop(folder / "shop"))
    stack.enter_context(Customers(folder / "customers", shop, rate=40))
    file = folder / "playbook.yaml"
    file.write_text(_at(playbook, shop, slack, mail), encoding="utf-8")
    tocsin = stack.enter_context(Tocsin(folder / "tocsin", file))
    return Stage(shop, slack, mail, tocsin)


def storefront_playbook() -> str:
    """The storefront's playbook, as it stands in the examples."""
    import storefront

    return (Path(storefront.__file__).parent.parent / "playbook.yaml").read_text(encoding="utf-8")


def without_runbooks(playbook: str) -> str:
    """The same playbook with nothing to be done by itself."""
    kept, skipping = [], False
    for line in playbook.splitlines():
        if line and not line[0].isspace():
            skipping = line.startswith("remediate:")
        if not skipping:
            kept.append(line)
    return "\n".join(kept) + "\n"


def _at(playbook: str, shop: Shop, slack: SlackDouble, mail: SmtpSink) -> str:
    """The playbook with the addresses of this stage."""
    return (
        playbook.replace("http://127.0.0.1:7390", shop.url)
        .replace("http://127.0.0.1:7391/api/", slack.api_url)
        .replace("port: 7392", f"port: {mail.port}")
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False
