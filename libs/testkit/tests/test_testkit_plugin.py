"""The pytest plugin: registered, cheap to import, its fixtures real and strict."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from tocsin_testkit.nats import NatsServer
from tocsin_testkit.ports import is_free
from tocsin_testkit.provided import Provided
from tocsin_testkit.valkey import ValkeyServer

pytest_plugins = ["pytester"]


def test_pytest_finds_the_plugin() -> None:
    (plugin,) = entry_points(group="pytest11", name="tocsin_testkit")
    assert plugin.value == "tocsin_testkit.plugin"


def test_importing_the_plugin_imports_no_server_and_no_client() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import tocsin_testkit.plugin\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tocsin_testkit"]


def test_the_free_port_is_free(free_port: int) -> None:
    assert is_free(free_port)


def test_the_shared_servers_say_where_they_came_from(
    shared_nats: Provided[NatsServer], shared_valkey: Provided[ValkeyServer]
) -> None:
    assert str(shared_nats).startswith(f"NATS from {shared_nats.source} at nats://")
    assert str(shared_valkey).startswith(f"Valkey from {shared_valkey.source} at redis://")


def test_a_test_fails_at_its_end_if_a_double_refused_something(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others are slow to load and not needed
    pytester.makepyfile(
        """
        import httpx, smtplib

        def test_slack_surprise(slack_double):
            httpx.post(slack_double.api_url + "chat.postMessage")

        def test_slack_expected(slack_double):
            slack_double.expect_refusals("not_authed")
            httpx.post(slack_double.api_url + "chat.postMessage")

        def test_smtp_surprise(smtp_sink):
            with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
                client.docmd("NONSENSE")
        """
    )
    result = pytester.runpytest_subprocess("-p", "tocsin_testkit.plugin")
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*chat.postMessage: not_authed*"])
