"""The folder of an embedded Tocsin (`./.tocsin`): its data, its identities, and where it can be reached."""

import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tocsin_runtime import Address, Connection
from tocsin_runtime.identities import IDENTITIES

__all__ = ["Place", "Reach", "write_private"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a running embedded Tocsin can be reached."""

    nats_url: str
    nats_monitor_url: str
    redis_url: str
    console_url: str
    alertmanager_url: str
    pid: int


class Place:
    """One folder. Files that hold secrets are readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def prepare(self) -> None:
        """Create the folder, and the identities that are missing: all on the first start, new ones after an update."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        known: dict[str, str] = json.loads(self._identities.read_text()) if self._identities.exists() else {}
        if set(IDENTITIES) - set(known):
            made = {name: secrets.token_urlsafe(24) for name in IDENTITIES}
            write_private(self._identities, json.dumps({**made, **known}))

    def passwords(self) -> Mapping[str, str]:
        """The password of each NATS identity that this folder has: one that an older version made has fewer."""
        read: dict[str, str] = json.loads(self._identities.read_text())
        return {name: read[name] for name in IDENTITIES if name in read}

    def announce(self, reach: Reach) -> None:
        """Leave word for the other commands."""
        write_private(self._reach, json.dumps(asdict(reach), indent=2))

    def withdraw(self) -> None:
        """It runs no more."""
        self._reach.unlink(missing_ok=True)

    def reach(self) -> Reach | None:
        """Where it can be reached, if it runs."""
        try:
            found = Reach(**json.loads(self._reach.read_text()))
        except FileNotFoundError:
            return None
        return found if _runs(found.pid) else None

    def connection(self, identity: str) -> Connection:
        """To its NATS, as one of its identities. Not open yet; `async with` opens it.

        Raises RuntimeError where nothing runs in this folder.
        """
        reach = self.reach()
        if reach is None:
            raise RuntimeError(f"no Tocsin runs in {self.folder}")
        return Connection(Address(reach.nats_url, identity, self.passwords()[identity]), identity)

    @property
    def tokens(self) -> Path:
        """The file of access tokens, whether or not there is one yet."""
        return self.folder / "tokens"

    @property
    def _identities(self) -> Path:
        return self.folder / "identities.json"

    @property
    def _reach(self) -> Path:
        return self.folder / "running.json"


def write_private(path: Path, text: str) -> None:
    """Whole or not at all: whoever reads at that moment sees the old text or the new one. A file that is there keeps
    its permissions; a new one is its owner's alone."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    beside.replace(path)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
