"""Random passwords for docker-compose.yml, and the files that NATS and Valkey read them from.

Run it again after an update: passwords that exist are kept, and the users' permissions are written anew from
`tocsin_runtime.identities`. To change a password delete its file, run this and start the containers anew.

Compose mounts each file as it is, with the owner it has on this computer, and containers run as a user that does not
exist here. So the files are readable by everybody, and the folder by its owner alone.
"""

import argparse
import json
import secrets
import sys
from pathlib import Path

from tocsin_runtime.identities import IDENTITIES, users

__all__ = ["FILES", "make_secrets"]

HERE = Path(__file__).resolve().parent / "secrets"

FILES: tuple[str, ...] = (*(f"nats_{name}" for name in IDENTITIES), "nats_users.conf", "redis_url", "valkey.conf")
"""What is written. `nats_source` is for senders outside of the containers; `nats_operator` and those of each access
(`nats_viewer` to `nats_admin`) are for people."""


def make_secrets(folder: Path) -> list[str]:
    """Write what is missing, and what follows from it; the answer is the new passwords' files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    new: list[str] = []
    passwords = {name: _password(folder / f"nats_{name}", new) for name in IDENTITIES}
    authorization = {"authorization": {"users": users(passwords)}}  # nats-server reads JSON as its own format
    _write(folder / "nats_users.conf", json.dumps(authorization, indent=2) + "\n")
    tokens = folder / "access" / "tokens"  # a folder of its own: the file is replaced when a token is made
    tokens.parent.mkdir(exist_ok=True)
    if not tokens.exists():
        _write(tokens, "# tocsin tokens add NAME --file deploy/secrets/access/tokens\n")
    valkey = _password_of_valkey(folder / "redis_url", new)
    _write(folder / "valkey.conf", f"requirepass {valkey}\n")
    return new


def _password(file: Path, new: list[str]) -> str:
    if not file.exists():
        _write(file, secrets.token_urlsafe(24))
        new.append(file.name)
    return file.read_text(encoding="utf-8").strip()


def _password_of_valkey(file: Path, new: list[str]) -> str:
    before, after = "redis://:", "@valkey:6379/0"
    if not file.exists():
        _write(file, f"{before}{secrets.token_urlsafe(24)}{after}")
        new.append(file.name)
    return file.read_text(encoding="utf-8").strip().removeprefix(before).removesuffix(after)


def _write(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.new")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o444)
    partial.replace(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=HERE, help="where to (default: deploy/secrets)")
    folder: Path = parser.parse_args().folder
    new = make_secrets(folder)
    made = f"new passwords: {', '.join(new)}" if new else "every password was there already"
    sys.stdout.write(f"{folder}: {made}; permissions are up to date\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
