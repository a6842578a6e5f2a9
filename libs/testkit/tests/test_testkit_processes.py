"""A server process: started, ready, stopped, killed, paused; nothing of it survives."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin_testkit import processes
from tocsin_testkit.ports import free_port, is_free
from tocsin_testkit.processes import ServerError, ServerProcess, is_running


class WebServer(ServerProcess):
    """The smallest real server at hand: serves its folder."""

    name = "web-server"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-I", "-m", "http.server", "--bind", self.host, str(self.port)]

    def is_ready(self) -> bool:
        return self.answers(timeout=0.5)

    def answers(self, timeout: float) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()


class Deaf(ServerProcess):
    """Runs, ignores SIGTERM, never serves."""

    name = "deaf"
    url = "none:"

    def command(self) -> Sequence[str]:
        program = (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
        )
        return [sys.executable, "-I", "-c", program]

    def is_ready(self) -> bool:
        return "up" in self.log()


class NeverReady(Deaf):
    def is_ready(self) -> bool:
        return False


class Broken(WebServer):
    def command(self) -> Sequence[str]:
        return [sys.executable, "-I", "-c", "raise SystemExit('no disk left')"]


def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_a_started_server_answers_and_a_stopped_one_leaves_neither_process_nor_port(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        pid, port = server.pid, server.port
        assert is_running(pid)
        assert not is_free(port)
    assert not server.running
    assert not is_running(pid)
    assert is_free(port)


def test_restart_keeps_the_port_and_the_folder_but_not_the_process(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        pid, port = server.pid, server.port
        server.restart()
        assert server.port == port
        assert server.pid != pid


def test_a_killed_server_can_be_started_again_on_its_port(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        pid, port = server.pid, server.port
        server.kill()
        assert not is_running(pid)
        assert is_free(port)
        assert server.start().port == port


def test_a_given_port_is_used(tmp_path: Path) -> None:
    port = free_port()
    with WebServer(tmp_path, port=port) as server:
        assert server.port == port


def test_a_port_that_was_taken_meanwhile_is_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebServer(tmp_path / "first") as first:
        ports = iter([first.port, free_port()])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports))
        # the first server answers on the port: readiness must not be taken from it
        monkeypatch.setattr(WebServer, "is_ready", lambda self: "Serving HTTP" in self.log())
        monkeypatch.setenv("PYTHONUNBUFFERED", "1")
        second = Unbuffered(tmp_path / "second")
        with second:
            assert second.port != first.port


class Unbuffered(WebServer):
    def command(self) -> Sequence[str]:
        return [sys.executable, "-u", "-m", "http.server", "--bind", self.host, str(self.port)]


def test_a_given_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with WebServer(tmp_path / "first") as first:
        taken = NotMine(tmp_path / "second", port=first.port)
        with pytest.raises(ServerError) as failure:
            taken.start()
    assert failure.value.port_was_taken


class NotMine(WebServer):
    def is_ready(self) -> bool:
        return False


def test_a_server_that_ends_at_once_is_reported_with_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"web-server ended with status 1\. The end of .*(\n.*)*no disk left"):
        Broken(tmp_path).start()


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebServer, "command", lambda _self: ["/no/such/program"])
    with pytest.raises(ServerError, match="No such file"):
        WebServer(tmp_path).start()


def test_a_server_that_is_not_ready_in_time_is_killed_and_reported(tmp_path: Path) -> None:
    server = NeverReady(tmp_path, start_timeout=timedelta(milliseconds=150))
    with pytest.raises(ServerError, match=r"was not ready within 0\.15 s"):
        server.start()
    assert not server.running


def test_a_server_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    server = Deaf(tmp_path, grace=timedelta(milliseconds=100)).start()
    pid = server.pid
    server.stop()
    assert not is_running(pid)


def test_a_paused_server_answers_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        server.pause()
        assert server.paused
        with pytest.raises(TimeoutError):
            server.answers(timeout=0.1)
        server.resume()
        assert not server.paused
        assert server.is_ready()


def test_pausing_twice_is_pausing_once(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        server.pause()
        server.pause()
        server.resume()
        assert server.is_ready()
        server.pause()
        server.resume()
        assert server.is_ready()


def test_a_paused_server_can_be_stopped(tmp_path: Path) -> None:
    with WebServer(tmp_path, grace=timedelta(seconds=3)) as server:
        server.pause()
        before = time.monotonic()
        server.stop()
    assert time.monotonic() - before < 15
    assert not server.paused


def test_stopping_a_server_twice_or_never_started_is_nothing(tmp_path: Path) -> None:
    server = WebServer(tmp_path)
    server.stop()
    server.start()
    server.stop()
    server.stop()


@pytest.mark.parametrize("act", [ServerProcess.kill, ServerProcess.pause, ServerProcess.resume])
def test_what_needs_a_running_server_says_so(tmp_path: Path, act: Callable[[ServerProcess], None]) -> None:
    with pytest.raises(ServerError, match="web-server is not running"):
        act(WebServer(tmp_path))


def test_a_running_server_is_not_started_twice(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server, pytest.raises(ServerError, match="is already running as process"):
        server.start()


def test_the_log_spans_all_starts_but_an_error_shows_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Deaf(tmp_path, grace=timedelta(milliseconds=1)).start()
    server.stop()
    monkeypatch.setattr(Deaf, "command", lambda _self: [sys.executable, "-c", "raise SystemExit('second')"])
    monkeypatch.setattr(Deaf, "is_ready", lambda _self: False)
    with pytest.raises(ServerError) as failure:
        server.start()
    assert failure.value.tail.strip() == "second"
    assert "up" in server.log()


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    server = Deaf(tmp_path, grace=timedelta(milliseconds=1))
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    try:
        assert not until(lambda: not server.running, seconds=0.2)
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_killed_test_process_leaves_no_server_behind(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tocsin_testkit.nats import NatsServer\n"
        f"print(NatsServer(Path({str(tmp_path)!r})).start().pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        server = int(parent.stdout.readline())
        assert is_running(server)
        parent.kill()
        parent.wait()
    died = until(lambda: not is_running(server), seconds=2)
    if not died:
        os.kill(server, signal.SIGKILL)
    assert died


def test_a_server_whose_parent_died_before_it_started_does_not_start() -> None:
    leash = subprocess.run(
        [sys.executable, "-I", "-S", str(processes.LEASH), "1", "/bin/echo", "started"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if sys.platform == "linux":
        assert leash.returncode == 1
        assert re.search("the parent 1 is gone", leash.stderr)


def test_an_ended_process_that_nobody_collected_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert until(lambda: not is_running(child.pid))
    child.wait()


def test_a_process_that_ends_while_it_is_looked_at_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(_path: Path) -> str:
        raise ProcessLookupError

    monkeypatch.setattr(Path, "read_text", ended)
    assert is_running(os.getpid()) is not Path("/proc/self").exists()


def test_a_process_of_another_user_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert is_running(1)


def test_signals_reach_only_the_server(tmp_path: Path) -> None:
    with WebServer(tmp_path) as server:
        assert os.getsid(server.pid) != os.getsid(0)
        os.kill(server.pid, signal.SIGKILL)
        assert until(lambda: not server.running)
