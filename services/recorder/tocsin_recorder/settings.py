"""What the recorder needs to know."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from tocsin_runtime import ServiceSettings

__all__ = ["RecorderSettings"]


class RecorderSettings(ServiceSettings):
    """Settings of the recorder."""

    SERVICE: ClassVar[str] = "recorder"

    http_port: int = Field(
        default=7300, ge=0, le=65535, description="Port of the console and the API; 0 takes a free one"
    )
    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///./.tocsin/timeline.db"),
        description="Where the timeline is kept: `sqlite+aiosqlite:///PATH` (default `./.tocsin/timeline.db`; one "
        "file a replica) or `postgresql+psycopg://USER:PASSWORD@HOST/NAME` (shared by all replicas)",
    )
    live_readers: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="How many pages may watch live at the same time; further ones are refused",
    )
    tokens_path: Path | None = Field(
        default=None,
        description="File of access tokens, one `NAME sha256:HEX` a line (`tocsin tokens add` writes it); without it "
        "nobody may ask for anything over HTTP",
    )
