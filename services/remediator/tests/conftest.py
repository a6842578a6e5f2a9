"""Makes this folder's helpers importable: pytest's importlib mode leaves it off the path."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tocsin_testkit.nats import NatsServer

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from remediator_bench import Bench


@pytest.fixture
async def bench(nats_server: NatsServer) -> "AsyncIterator[Bench]":
    """A nats-server of the test's own with the streams declared."""
    from remediator_bench import Bench

    made = await Bench.on(nats_server)
    try:
        yield made
    finally:
        await made.close()
