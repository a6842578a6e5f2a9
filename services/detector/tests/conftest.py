"""A detector without anything else, and one on a nats-server of its own."""

from collections.abc import AsyncIterator

import pytest
from detector_bench import Bench, playbook
from detector_system import System

from tocsin_testkit.nats import NatsServer


@pytest.fixture
def bench() -> Bench:
    """A playbook with one rule on one source is in force, and no replica runs yet."""
    made = Bench()
    made.shelf.publish(playbook())
    return made


@pytest.fixture
async def system(nats_server: NatsServer) -> AsyncIterator[System]:
    """One detector, up and ready, and nothing published."""
    made = System(nats_server)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
