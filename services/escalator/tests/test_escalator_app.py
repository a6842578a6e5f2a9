"""The escalator as a process: its settings and its start."""

import os
import subprocess
import sys

from tocsin_escalator.settings import EscalatorSettings
from tocsin_runtime.settings import describe, load_settings


def test_every_setting_is_described_and_its_own_port_is_7302() -> None:
    assert all(meaning for _, _, meaning in describe(EscalatorSettings))
    assert load_settings(EscalatorSettings, {}).http_port == 7302


def test_a_setting_of_its_own_wins_over_the_general_one() -> None:
    given = {"TOCSIN_AUDIT_SECONDS": "30", "TOCSIN_ESCALATOR_AUDIT_SECONDS": "5"}
    assert load_settings(EscalatorSettings, given).audit_seconds == 5


def test_a_wrong_setting_ends_the_process_with_status_2_and_names_the_variable() -> None:
    environment = {**os.environ, "TOCSIN_ESCALATOR_AUDIT_SECONDS": "never"}
    ended = subprocess.run(
        [sys.executable, "-m", "tocsin_escalator"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "TOCSIN_ESCALATOR_AUDIT_SECONDS" in ended.stdout + ended.stderr
