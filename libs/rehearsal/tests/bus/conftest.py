"""What the runtime logs of handlers that fail on purpose is not printed: that costs more than all the rest."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield
