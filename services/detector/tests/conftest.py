"""A detector on a nats-server of its own."""

from collections.abc import AsyncIterator

import pytest
from detector_system import System

from tocsin_testkit.nats import NatsServer


@pytest.fixture
async def system(nats_server: NatsServer) -> AsyncIterator[System]:
    """One detector, up and ready, and nothing published."""
    made = System(nats_server)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
