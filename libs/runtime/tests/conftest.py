"""A connection to an own nats-server, with everything declared, as a service has it."""

from collections.abc import AsyncIterator

import pytest
from runtime_builders import connected

from tocsin_runtime import Connection
from tocsin_runtime.bus.provision import ensure_consumer, ensure_streams
from tocsin_runtime.topology import CONSUMERS
from tocsin_testkit.nats import NatsServer


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Connection]:
    """Connected to a server on which all streams and consumers of the table exist."""
    made = await connected(nats_server)
    await ensure_streams(made)
    for spec in CONSUMERS:
        await ensure_consumer(made, spec)
    yield made
    await made.close()
