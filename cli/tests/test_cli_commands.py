"""What a person types, and what they read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tocsin.main import app
from tocsin.services import SERVICES, settings_of

STOREFRONT = Path(__file__).parents[2] / "examples" / "storefront" / "playbook.yaml"


def tocsin(*words: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", **(environment or {})})
    return result.exit_code, result.stdout, result.stderr


def test_a_good_playbook_has_nothing_to_complain_about() -> None:
    assert tocsin("lint", str(STOREFRONT)) == (0, "1 playbook: nothing to complain about\n", "")


def test_a_bad_playbook_says_where_what_and_what_was_expected(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(STOREFRONT.read_text().replace('"person:grace"', '"person:grce"'))
    status, output, _ = tocsin("lint", str(file))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "person:grce" in text)
    assert status == 1
    assert output.startswith(f"{file}:{line}:")
    assert "grce" in output
    assert "; expected " in output


def test_every_service_says_what_can_be_set() -> None:
    for service in SERVICES:
        status, output, _ = tocsin("settings", service)
        assert status == 0
        for name in settings_of(service).model_fields:
            assert f"TOCSIN_{service.upper()}_{name.upper()}" in output


@pytest.mark.parametrize("words", [("run", "detektor"), ("settings", "detektor")])
def test_an_unknown_service_is_one_clear_line(words: tuple[str, ...]) -> None:
    status, output, error = tocsin(*words)
    assert (status, output) == (1, "")
    assert error == "there is no service 'detektor'; there are detector, escalator, remediator, notifier, recorder\n"


@pytest.mark.parametrize("words", [("incidents",), ("show", "abcd"), ("ack", "abcd"), ("resolve", "abcd")])
def test_without_a_running_tocsin_it_says_how_to_get_one(words: tuple[str, ...], tmp_path: Path) -> None:
    status, output, error = tocsin(*words, "--data", str(tmp_path))
    assert (status, output) == (1, "")
    assert error.strip().count("\n") == 0
    assert "tocsin up" in error
    assert "TOCSIN_NATS_URL" in error


def test_an_address_where_nobody_answers_is_one_clear_line(tmp_path: Path) -> None:
    nowhere = {"TOCSIN_NATS_URL": "nats://127.0.0.1:9", "TOCSIN_CONSOLE_URL": "http://127.0.0.1:9"}
    status, _, error = tocsin("incidents", environment=nowhere)
    assert status == 1
    assert "does not answer" in error


def test_a_wrong_setting_names_its_variable() -> None:
    status, _, error = tocsin("run", "recorder", environment={"TOCSIN_HTTP_PORT": "many"})
    assert status == 2 or "TOCSIN_HTTP_PORT" in error


def test_new_identities_for_a_server_of_ones_own() -> None:
    import json

    status, output, _ = tocsin("nats-config")
    made = json.loads(output)["authorization"]["users"]
    assert status == 0
    assert [user["user"] for user in made][:5] == list(SERVICES)
    assert len({user["password"] for user in made}) == len(made)
