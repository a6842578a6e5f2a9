"""A server as a real process: started on a free port, waited for, stopped, killed, paused, started again.

All calls block, for tens of milliseconds as a rule. In a test whose event loop must go on meanwhile, use
`await asyncio.to_thread(server.restart)`.
"""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Self

from tocsin_testkit.ports import LOOPBACK, free_port

__all__ = ["ServerError", "ServerProcess", "is_running"]

LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.005
PORT_ATTEMPTS = 5
TAIL_CHARACTERS = 2_000


class ServerError(Exception):
    """A server did not come up, or was asked for something while it was not running."""

    def __init__(self, name: str, reason: str, log_file: Path, tail: str) -> None:
        self.name = name
        self.reason = reason
        self.log_file = log_file
        self.tail = tail
        super().__init__(f"{name} {reason}. The end of {log_file}:\n{tail or '(empty)'}")

    @property
    def port_was_taken(self) -> bool:
        return "address already in use" in self.tail.lower()


class ServerProcess(ABC):
    """One server with its folder and port; both stay the same over kill, start and restart.

    A subclass says what to run (`command`) and how to see that it is ready (`is_ready`). Use it as a context
    manager, or call `start` and `stop`. The output goes to `<folder>/<name>.log`.
    """

    name: str

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        start_timeout: timedelta = timedelta(seconds=10),
        grace: timedelta = timedelta(seconds=5),
    ) -> None:
        self.folder = folder.absolute()
        self.host = LOOPBACK
        self.port = port or 0
        self._ports_are_fixed = port is not None
        self._start_timeout = start_timeout
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False

    # --- what a subclass says ----------------------------------------------------------------------------------

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The absolute path of the program and its arguments."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether *this* process (not a stranger on the same port) serves now. OSError means: not yet."""

    def choose_ports(self) -> None:
        """Choose every port that was not given."""
        self.port = free_port()

    def prepare(self) -> None:  # noqa: B027  # most have nothing to write
        """Write the files that the process reads; called before every start."""

    # --- its life ----------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it and return when it is ready; ServerError when it is not within the start timeout."""
        if self.running:
            raise self._failed(f"is already running as process {self.pid}")
        for attempt in range(1, PORT_ATTEMPTS + 1):
            if not self._ports_are_fixed:
                self.choose_ports()
            try:
                self._start_once()
            except ServerError as failure:
                if self._ports_are_fixed or not failure.port_was_taken or attempt == PORT_ATTEMPTS:
                    raise
            else:
                break
        self._ports_are_fixed = True
        return self

    def stop(self) -> None:
        """End it with SIGTERM, after the grace with SIGKILL. Nothing happens if it is not running."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)  # a stopped process would not hear SIGTERM
            try:
                process.wait(self._grace.total_seconds())
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._forget()

    def kill(self) -> None:
        """SIGKILL, as a crash does it: no clean-up, no last write."""
        process = self._running_process()
        process.kill()
        process.wait()
        self._forget()

    def restart(self) -> Self:
        """Stop it and start it again with the same port and data."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered. Returns when every thread of it stands still."""
        process = self._running_process()
        process.send_signal(signal.SIGSTOP)
        if hasattr(os, "waitid"):  # macOS has it since Python 3.13
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self._is_paused = True

    def resume(self) -> None:
        """SIGCONT: go on where `pause` stopped it."""
        self._running_process().send_signal(signal.SIGCONT)
        self._is_paused = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what can be seen --------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._running_process().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def paused(self) -> bool:
        return self._is_paused

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def log(self) -> str:
        """What the server wrote so far, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    # --- how -----------------------------------------------------------------------------------------------------

    def _start_once(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        log_starts_at = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = _spawn(self.command(), self.folder, log.fileno())
        deadline = time.monotonic() + self._start_timeout.total_seconds()
        while not self._answers():
            if self._process.poll() is not None:
                raise self._failed(f"ended with status {self._process.returncode}", log_starts_at)
            if time.monotonic() > deadline:
                self.kill()
                waited = self._start_timeout.total_seconds()
                raise self._failed(f"was not ready within {waited:g} s", log_starts_at)
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.is_ready()
        except OSError:  # nobody listens yet, or the listener is not complete
            return False

    def _running_process(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise self._failed("is not running")
        return self._process

    def _forget(self) -> None:
        self._process = None
        self._is_paused = False

    def _failed(self, reason: str, log_starts_at: int = 0) -> ServerError:
        written = self.log_file.read_bytes()[log_starts_at:] if self.log_file.exists() else b""
        tail = written.decode(errors="replace")[-TAIL_CHARACTERS:]
        return ServerError(self.name, reason, self.log_file, tail)


def is_running(pid: int) -> bool:
    """Whether a process with this id runs; one that ended but was not yet collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # it ended meanwhile, or there is no /proc here
        return not Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _spawn(command: Sequence[str], folder: Path, output: int) -> subprocess.Popen[bytes]:
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*leash, *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal ends the tests, and they end the server
        )

    return _spawner(os.getpid()).submit(start).result()


@cache
def _spawner(_own_pid: int) -> ThreadPoolExecutor:
    """One thread that lives as long as this process and starts all children.

    PR_SET_PDEATHSIG means the parent *thread* (prctl(2)): a server started from a thread that ends would end too.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="testkit-spawner")
