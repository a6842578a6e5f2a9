"""One replica of the escalator on a real log."""

from collections.abc import AsyncIterator

import pytest
from escalator_playbooks import STOREFRONT_TEXT
from escalator_shell import MovableClock, Shell, ShelvedPlaybooks

from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_testkit.nats import NatsServer


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Connection]:
    made = Connection(Address(nats_server.url), "test")
    await made.open()
    await ensure_streams(made)
    yield made
    await made.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(STOREFRONT_TEXT)


@pytest.fixture
def shell(connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock) -> Shell:
    return Shell(connection, playbooks, clock)
