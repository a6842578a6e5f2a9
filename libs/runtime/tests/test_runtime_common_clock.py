"""The time that replicas share: of the wall clock, NATS's and the time that has passed, two are believed."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.common_clock import CommonClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Computer:
    """A clock that a test moves, and sets."""

    def __init__(self) -> None:
        self.passed, self.off = 0.0, 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed + self.off)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def computer() -> Computer:
    return Computer()


@pytest.fixture
def clock(computer: Computer) -> CommonClock:
    return CommonClock(computer)


def truth(computer: Computer) -> datetime:
    return START + timedelta(seconds=computer.passed)


def compared(clock: CommonClock, computer: Computer, off: float = 0.0) -> list[str]:
    """NATS's clock, so far off, is looked at; what is logged."""
    with capture_logs() as logs:
        clock.compare(truth(computer) + timedelta(seconds=off))
    return [entry["event"] for entry in logs]


async def test_before_the_first_look_the_wall_clock_is_believed(clock: CommonClock, computer: Computer) -> None:
    computer.off = 3600
    assert clock.now() == computer.now()
    assert not clock.was_compared
    await clock.sleep(5)
    assert clock.monotonic() == 5


@pytest.mark.parametrize("off", [-1.9, 0.0, 1.9])
def test_while_the_clocks_agree_time_is_the_wall_clocks(clock: CommonClock, computer: Computer, off: float) -> None:
    assert compared(clock, computer, off) == []
    computer.passed, computer.off = 30, off
    assert clock.now() == computer.now()


@pytest.mark.parametrize("step", [-3600.0, -3.0, 3.0, 3600.0])
def test_a_step_of_the_wall_clock_is_no_step_of_time(clock: CommonClock, computer: Computer, step: float) -> None:
    compared(clock, computer)
    computer.passed, computer.off = 30, step
    assert clock.now() == truth(computer)
    assert compared(clock, computer) == ["this computer's clock is wrong; nats's is gone by"]
    assert compared(clock, computer) == []
    computer.passed = 100
    assert clock.now() == truth(computer)
    computer.off = 0
    assert clock.now() == computer.now()


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_step_of_natss_clock_is_no_step_of_time(clock: CommonClock, computer: Computer, step: float) -> None:
    compared(clock, computer)
    computer.passed = 60
    assert compared(clock, computer, step) == ["nats's clock was set; this computer's goes on"]
    assert clock.now() == truth(computer)
    assert compared(clock, computer) == []


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_step_is_a_doubt_until_the_clocks_are_compared(clock: CommonClock, computer: Computer, step: float) -> None:
    assert not clock.is_in_doubt
    compared(clock, computer)
    assert not clock.is_in_doubt
    computer.passed, computer.off = 30, step
    assert clock.is_in_doubt
    compared(clock, computer)
    assert not clock.is_in_doubt
    computer.off = 0
    assert clock.is_in_doubt


def test_a_computer_that_starts_with_a_wrong_clock_goes_by_natss(clock: CommonClock, computer: Computer) -> None:
    computer.off = 3600
    assert compared(clock, computer) == ["this computer's clock is wrong; nats's is gone by"]
    computer.passed = 60
    assert clock.now() == truth(computer)


def test_after_a_sleep_of_the_computer_the_clocks_that_went_on_are_believed(
    clock: CommonClock, computer: Computer
) -> None:
    """A suspended computer's monotonic clock stands still."""
    compared(clock, computer)
    computer.off = 7200
    assert compared(clock, computer, 7200) == []
    assert clock.now() == computer.now()


def test_where_no_two_agree_natss_clock_is_believed(clock: CommonClock, computer: Computer) -> None:
    compared(clock, computer)
    computer.off = 300
    assert compared(clock, computer, -300) == ["this computer's clock is wrong; nats's is gone by"]
    assert clock.now() == truth(computer) - timedelta(seconds=300)


async def test_natss_clock_is_looked_at_over_the_connection(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.clock, "_base", Computer())  # its wall clock stands years away from the server's
    await connection.compare_clocks()
    assert abs(connection.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_without_an_answer_there_is_nothing_to_compare(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> dict[str, object]:
        return {"error": {"description": "no quorum"}}

    monkeypatch.setattr(connection, "request", refuse)
    with pytest.raises(BusUnavailableError, match="the stream PLAYBOOKS: no quorum"):
        await connection.compare_clocks()
    assert not connection.clock.was_compared
