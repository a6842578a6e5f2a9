"""Settings from the environment (12-factor). Every one is documented by `tocsin settings`.

`TOCSIN_<NAME>` applies to all services, `TOCSIN_<SERVICE>_<NAME>` to one and wins. A secret may be given as a file:
`TOCSIN_NATS_PASSWORD_FILE=/run/secrets/nats`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

__all__ = ["ServiceSettings", "SettingsError", "describe", "load_settings"]

PREFIX = "TOCSIN_"
_PASSWORD = re.compile(r"//[^/@\s]*@")
L = TypeVar("L", bound="ServiceSettings")


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable."""


class ServiceSettings(BaseSettings):
    """What every service needs to know."""

    SERVICE: ClassVar[str] = ""
    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    nats_url: str = Field(default="nats://127.0.0.1:4222", description="NATS servers, separated by commas")
    nats_user: str = Field(default="", description="This service's NATS identity")
    nats_password: SecretStr = Field(default=SecretStr(""), description="Its password")
    nats_monitor_url: str | None = Field(
        default=None, description="The server's monitoring address, asked at start whether it syncs every write"
    )
    nats_check_sync: bool = Field(
        default=True, description="Refuse to start unless the server is known to sync every write"
    )
    nats_replicas: int = Field(default=1, ge=1, le=5, description="Copies of each stream; 3 in a cluster")
    redis_url: str | None = Field(default=None, description="Redis or Valkey; without it what may be forgotten is")
    http_host: str = Field(default="127.0.0.1", description="Address for health, metrics and the service's API")
    http_port: int = Field(default=0, ge=0, le=65535, description="Port for them; 0 takes a free one")
    log_format: Literal["json", "pretty"] = Field(default="json", description="How log lines look")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged")
    otlp_endpoint: str | None = Field(
        default=None, description="Where OpenTelemetry traces and metrics go (OTLP/HTTP); none sends none"
    )
    drain_seconds: float = Field(default=10.0, gt=0, le=300, description="How long handlers may end after SIGTERM")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load_settings` reads the environment: two prefixes and *_FILE

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """An address may hold a password: `redis://:secret@cache:6379`."""
        for name, value in super().__repr_args__():
            yield name, _PASSWORD.sub("//***@", value) if isinstance(value, str) else value


def load_settings(model: type[L], environment: Mapping[str, str] | None = None, **given: Any) -> L:
    """Read the settings of one service. `given` wins over the environment. Raises SettingsError."""
    env = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in model.model_fields:
        for variable in _variables(model, name):
            if (text := _read(env, variable)) is not None:
                values[name], sources[name] = text, variable
    try:
        return model(**{**values, **given})
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]) if problem["loc"] else "the settings together"
            problems.append(f"{sources.get(name, name)}: {problem['msg']}")
        raise SettingsError("; ".join(problems)) from None


def _variables(model: type[ServiceSettings], name: str) -> tuple[str, ...]:
    """The general variable first, the service's own after it: the last one found wins."""
    general = f"{PREFIX}{name.upper()}"
    return (general, f"{PREFIX}{model.SERVICE.upper()}_{name.upper()}") if model.SERVICE else (general,)


def _read(env: Mapping[str, str], variable: str) -> str | None:
    if (path := env.get(f"{variable}_FILE")) is not None:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{variable}_FILE: cannot read the file: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{variable}_FILE: the file is not UTF-8") from None
    return env.get(variable)


def describe(model: type[ServiceSettings]) -> list[tuple[str, str, str]]:
    """(variable, default, what it means) of every setting."""
    rows = []
    for name, field in model.model_fields.items():
        default = "" if field.default is None or isinstance(field.default, SecretStr) else str(field.default)
        rows.append((_variables(model, name)[-1], default, field.description or ""))
    return rows
