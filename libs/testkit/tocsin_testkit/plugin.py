"""The pytest plugin, registered as `tocsin_testkit`. Each fixture imports what it needs when it is used."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tocsin_testkit.nats import NatsServer
    from tocsin_testkit.provided import Provided
    from tocsin_testkit.receivers.slack import SlackDouble
    from tocsin_testkit.receivers.smtp import SmtpSink
    from tocsin_testkit.valkey import ValkeyServer


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    from tocsin_testkit.ports import free_port

    return free_port()


@pytest.fixture
def nats_server(tmp_path: Path) -> "Iterator[NatsServer]":
    """An embedded NATS of this test's own, to kill and pause."""
    from tocsin_testkit.nats import NatsServer

    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture(scope="session")
def shared_nats(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Provided[NatsServer]]":
    """NATS shared by all tests of this worker: NATS_URL, else a container, else embedded. Use own stream names."""
    from tocsin_testkit.nats import nats_for_tests

    with nats_for_tests(tmp_path_factory.mktemp("nats")) as provided:
        yield provided


@pytest.fixture
def valkey_server(tmp_path: Path) -> "Iterator[ValkeyServer]":
    """An embedded Valkey of this test's own, to kill and pause."""
    from tocsin_testkit.valkey import ValkeyServer

    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Provided[ValkeyServer]]":
    """Valkey shared by all tests of this worker: REDIS_URL, else a container, else embedded. Use own key prefixes."""
    from tocsin_testkit.valkey import valkey_for_tests

    with valkey_for_tests(tmp_path_factory.mktemp("valkey")) as provided:
        yield provided


@pytest.fixture
def slack_double() -> "Iterator[SlackDouble]":
    """A Slack workspace. The test fails at its end if anything was refused that it did not expect."""
    from tocsin_testkit.receivers.slack import SlackDouble

    with SlackDouble() as slack:
        yield slack
    slack.raise_unexpected_refusals()


@pytest.fixture
def smtp_sink() -> "Iterator[SmtpSink]":
    """A mail server. The test fails at its end if anything was refused that it did not expect."""
    from tocsin_testkit.receivers.smtp import SmtpSink

    with SmtpSink() as smtp:
        yield smtp
    smtp.raise_unexpected_refusals()
