"""Settings: which variable wins, what a wrong one is called, and that no secret is shown."""

from pathlib import Path
from typing import ClassVar, Self

import pytest
from pydantic import Field, SecretStr, ValidationError, model_validator

from tocsin_runtime import ServiceSettings, SettingsError, load_settings
from tocsin_runtime.settings import describe


class Settings(ServiceSettings):
    SERVICE: ClassVar[str] = "notifier"

    http_port: int = Field(default=7304, ge=0, le=65535, description="Port")
    token: SecretStr = Field(default=SecretStr(""), min_length=0, max_length=64, description="A secret")
    fewest: int = Field(default=0, description="At least")
    most: int = Field(default=9, description="At most")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fewest > self.most:
            raise ValueError("fewest is more than most")
        return self


class Required(ServiceSettings):
    SERVICE: ClassVar[str] = "detector"

    database: str = Field(description="Has no default")


def file(folder: Path, content: bytes) -> str:
    path = folder / "secret"
    path.write_bytes(content)
    return str(path)


def test_without_any_variable_the_defaults_hold() -> None:
    settings = load_settings(Settings, {})
    assert (settings.nats_url, settings.http_port, settings.log_format) == ("nats://127.0.0.1:4222", 7304, "json")


def test_the_variable_of_the_service_wins_over_the_general_one() -> None:
    env = {"TOCSIN_HTTP_PORT": "1", "TOCSIN_NOTIFIER_HTTP_PORT": "2", "TOCSIN_DETECTOR_HTTP_PORT": "3"}
    assert load_settings(Settings, env).http_port == 2
    assert load_settings(Settings, {"TOCSIN_HTTP_PORT": "1"}).http_port == 1
    assert load_settings(Settings, {"TOCSIN_DETECTOR_HTTP_PORT": "3"}).http_port == 7304


def test_what_is_given_by_hand_wins_over_every_variable() -> None:
    assert load_settings(Settings, {"TOCSIN_NOTIFIER_HTTP_PORT": "2"}, http_port=5).http_port == 5


def test_variables_of_others_are_not_read() -> None:
    env = {"HTTP_PORT": "1", "NATS_URL": "nats://other", "http_port": "1", "tocsin_http_port": "1"}
    assert load_settings(Settings, env) == load_settings(Settings, {})


def test_the_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_NOTIFIER_HTTP_PORT", "2")
    assert load_settings(Settings).http_port == 2


@pytest.mark.parametrize("variable", ["TOCSIN_TOKEN_FILE", "TOCSIN_NOTIFIER_TOKEN_FILE"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, variable: str) -> None:
    settings = load_settings(Settings, {variable: file(tmp_path, b"canary\n"), "TOCSIN_TOKEN": "other"})
    assert settings.token.get_secret_value() == "canary"


def test_the_services_own_variable_wins_over_a_general_file(tmp_path: Path) -> None:
    env = {"TOCSIN_TOKEN_FILE": file(tmp_path, b"general"), "TOCSIN_NOTIFIER_TOKEN": "own"}
    assert load_settings(Settings, env).token.get_secret_value() == "own"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TOCSIN_HTTP_PORT": "many"}, "TOCSIN_HTTP_PORT: "),
        ({"TOCSIN_HTTP_PORT": "1", "TOCSIN_NOTIFIER_HTTP_PORT": "70000"}, "TOCSIN_NOTIFIER_HTTP_PORT: "),
        ({"TOCSIN_LOG_FORMAT": "xml"}, "TOCSIN_LOG_FORMAT: Input should be 'json' or 'pretty'"),
        ({"TOCSIN_NATS_REPLICAS": "0"}, "TOCSIN_NATS_REPLICAS: "),
        ({"TOCSIN_NATS_CHECK_SYNC": "perhaps"}, "TOCSIN_NATS_CHECK_SYNC: "),
        ({"TOCSIN_DRAIN_SECONDS": "inf"}, "TOCSIN_DRAIN_SECONDS: "),
        ({"TOCSIN_NATS_PASSWORD_FILE": "/nowhere"}, "TOCSIN_NATS_PASSWORD_FILE: cannot read the file: No such file"),
        ({"TOCSIN_NATS_PASSWORD_FILE": "/"}, "TOCSIN_NATS_PASSWORD_FILE: cannot read the file: Is a directory"),
        ({"TOCSIN_FEWEST": "10"}, "the settings together: "),
    ],
)
def test_a_wrong_setting_is_named_by_its_variable(env: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(Settings, env)
    assert str(refused.value).startswith(said)


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"^TOCSIN_HTTP_PORT: .*; TOCSIN_DRAIN_SECONDS: "):
        load_settings(Settings, {"TOCSIN_HTTP_PORT": "x", "TOCSIN_DRAIN_SECONDS": "0"})


def test_a_required_setting_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="database: Field required"):
        load_settings(Required, {})


def test_a_file_that_is_no_text_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(Settings, {"TOCSIN_TOKEN_FILE": file(tmp_path, b"canary\xff")})
    assert str(refused.value) == "TOCSIN_TOKEN_FILE: the file is not UTF-8"
    assert refused.value.__cause__ is None


def test_no_secret_is_shown() -> None:
    env = {
        "TOCSIN_NATS_PASSWORD": "canary1",
        "TOCSIN_TOKEN": "canary2",
        "TOCSIN_REDIS_URL": "redis://:canary3@cache:6379/0",
        "TOCSIN_NATS_URL": "nats://a:canary4@one:4222,nats://b:canary5@two:4222",
    }
    settings = load_settings(Settings, env)
    for shown in (repr(settings), str(settings), f"{settings!r}"):
        assert "canary" not in shown
        assert "cache:6379/0" in shown
    assert settings.redis_url == env["TOCSIN_REDIS_URL"]


def test_no_secret_is_in_an_error() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            Settings, {"TOCSIN_TOKEN": "canary" * 20, "TOCSIN_NATS_PASSWORD": "canary", "TOCSIN_HTTP_PORT": "x"}
        )
    assert "TOCSIN_TOKEN: " in str(refused.value)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings(Settings, {}).http_port = 1


@pytest.mark.parametrize("model", [ServiceSettings, Settings, Required])
def test_every_setting_is_described(model: type[ServiceSettings]) -> None:
    rows = describe(model)
    assert len(rows) == len(model.model_fields) == len({variable for variable, _, _ in rows})
    for variable, _, meaning in rows:
        assert variable.startswith(f"TOCSIN_{model.SERVICE.upper()}".rstrip("_") + "_")
        assert meaning


def test_the_defaults_are_described_and_a_secrets_default_is_not() -> None:
    rows = {variable: default for variable, default, _ in describe(Settings)}
    assert rows["TOCSIN_NOTIFIER_HTTP_PORT"] == "7304"
    assert rows["TOCSIN_NOTIFIER_TOKEN"] == rows["TOCSIN_NOTIFIER_REDIS_URL"] == ""
