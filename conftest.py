"""For every test of the project."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a test sets up for its own output ends with it: the stream may be closed by then."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which seed of which profile found each planted bug, and by which invariant: proof that the simulator sees."""
    reports = terminalreporter.getreports("passed")
    rows = sorted(list(row) for each in reports for name, row in each.user_properties if name == "planted bug")
    if rows:
        terminalreporter.section("planted bugs")
        terminalreporter.write_line(f"{'bug':<42}{'profile':<12}{'seeds':>5}  invariant")
        for bug, profile, seeds, invariant, numbers in rows:
            terminalreporter.write_line(f"{bug:<42}{profile:<12}{seeds:>5}  {invariant} ({numbers})")
