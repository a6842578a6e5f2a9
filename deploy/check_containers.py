"""Checks the container files without Docker: `make compose-check`. Exit status 1 with one line for each problem.

docker-compose.yml against the JSON Schema of the Compose Specification and against our own rules (below); the
Dockerfiles in `dockerfiles.py`. A service's variables are compared with the settings it has, for a variable that is
misspelt would be ignored without a word.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it publishes no types
import yaml
from dockerfiles import Problem, check_dockerfiles
from make_secrets import FILES

from tocsin.services import SERVICES, settings_of

__all__ = ["check", "check_compose"]

TOP = Path(__file__).resolve().parent.parent
COMPOSE = "docker-compose.yml"
SCHEMA = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
"""The Compose Specification's own schema, as that package ships it."""

Service = Mapping[str, Any]  # as YAML has it; the schema has been checked before

_SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET|CREDENTIAL|_KEY|DSN)")
_USER_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_VARIABLE = re.compile(r"\$\{[A-Z_]+(:-(?P<default>[^}]*))?\}")


def check(top: Path) -> list[Problem]:
    """Every problem of the container files under `top`."""
    return [*check_compose(top), *check_dockerfiles(top, SERVICES)]


def check_compose(top: Path) -> list[Problem]:
    """Every problem of docker-compose.yml; of one that is no compose file at all, only that."""
    try:
        document = yaml.safe_load((top / COMPOSE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        return [Problem(COMPOSE, "", f"cannot be read: {error}")]
    wrong = [
        Problem(COMPOSE, ".".join(map(str, error.absolute_path)), error.message[:300])
        for error in jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document)
    ]
    return wrong or [*_each_service(document), *_the_whole(document, top)]


# --- every container --------------------------------------------------------------------------------------------------


def _each_service(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name, service in document["services"].items():
        for rule in (_user, _hardening, _life, _image, _environment, _ports, _mounts):
            for message in rule(service):
                yield Problem(COMPOSE, f"services.{name}", message)


def _user(service: Service) -> Iterator[str]:
    user = str(service.get("user", ""))
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        yield f"user is {user!r}: name another user than root, by number, as in user: '65532:65532'"


def _hardening(service: Service) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its file system can be written to: read_only: true, and a volume or tmpfs for what must be written"
    if "ALL" not in service.get("cap_drop", []):
        yield "it keeps Linux capabilities: cap_drop: [ALL]"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain rights: security_opt: ['no-new-privileges:true']"
    for key in ("privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"):
        if service.get(key):
            yield f"{key} gives it a part of the host: leave it out"


def _life(service: Service) -> Iterator[str]:
    if not (service.get("healthcheck") or {}).get("test"):
        yield "nobody can tell whether it works: give it a healthcheck with a test"
    if not service.get("stop_grace_period"):
        yield "it is killed after 10 s: give it a stop_grace_period"
    if service.get("stop_signal", "SIGTERM") != "SIGTERM":
        yield "stop_signal is not SIGTERM, the one that our services drain on"


def _image(service: Service) -> Iterator[str]:
    image = str(service.get("image", ""))
    _, _, tag = image.rpartition(":")
    if not image or tag in ("", "latest", image):
        yield f"image is {image!r}: pin it by a tag other than latest"


def _environment(service: Service) -> Iterator[str]:
    environment = service.get("environment", {})
    if not isinstance(environment, dict):
        yield "write environment as a mapping, not as a list"
        return
    given = {_mounted_at(secret) for secret in service.get("secrets", [])}
    for name, value in environment.items():
        if name.endswith("_FILE"):
            if str(value) not in given:
                yield f"{name} names {value}, which is not among its secrets"
        elif name.endswith("_PATH"):
            continue
        elif _SECRET.search(name) or _USER_IN_URL.search(str(value)):
            yield f"{name} holds a secret where everybody sees it: give it as a file, with {name}_FILE"


def _ports(service: Service) -> Iterator[str]:
    for port in service.get("ports", []):
        text = _VARIABLE.sub(lambda found: found["default"] or "", str(port))
        if not text.startswith("127.0.0.1:"):
            yield f"port {port} is open to the network: write ${{TOCSIN_BIND:-127.0.0.1}} before it"


def _mounts(service: Service) -> Iterator[str]:
    for volume in service.get("volumes", []):
        source, _, rest = str(volume).partition(":")
        if "docker.sock" in source:
            yield "whoever has Docker's socket has the computer: do not mount it"
        elif source.startswith((".", "/")) and not rest.endswith(":ro"):
            yield f"it may write to {source} on the host: mount it with :ro"


# --- the file as a whole ----------------------------------------------------------------------------------------------


def _the_whole(document: Mapping[str, Any], top: Path) -> Iterator[Problem]:
    services = document["services"]
    for name in SERVICES:
        if name not in services:
            yield Problem(COMPOSE, "services", f"{name} is missing")
            continue
        for message in (*_builds(name, services[name]), *_settings(name, services[name])):
            yield Problem(COMPOSE, f"services.{name}", message)
    yield from _secret_files(document.get("secrets", {}), top)


def _builds(name: str, service: Service) -> Iterator[str]:
    wanted = {"context": ".", "dockerfile": f"services/{name}/Dockerfile"}
    if service.get("build") != wanted:
        yield f"build is {service.get('build')}; expected {wanted}"


def _settings(name: str, service: Service) -> Iterator[str]:
    fields = [field.upper() for field in settings_of(name).model_fields]
    known = {f"TOCSIN_{prefix}{field}" for field in fields for prefix in ("", f"{name.upper()}_")}
    environment = service.get("environment", {})
    for variable in environment if isinstance(environment, dict) else ():
        if variable.startswith("TOCSIN_") and variable.removesuffix("_FILE") not in known:
            yield f"{variable} is not a setting of it (tocsin settings {name})"
    if isinstance(environment, dict) and environment.get("TOCSIN_NATS_USER") != name:
        yield f"TOCSIN_NATS_USER is {environment.get('TOCSIN_NATS_USER')!r}: each service comes under its own name"


def _secret_files(secrets: Mapping[str, Any], top: Path) -> Iterator[Problem]:
    for name, secret in secrets.items():
        file = Path(str(secret.get("file", "")))
        if file.parent != Path("deploy/secrets") or file.name not in FILES:
            yield Problem(COMPOSE, f"secrets.{name}", f"deploy/make-secrets does not write {file}; it writes {FILES}")
    for ignoring in (".gitignore", ".dockerignore"):
        lines = (top / ignoring).read_text(encoding="utf-8").split() if (top / ignoring).exists() else []
        if not {"deploy/secrets/", "*"} & set(lines) or "!deploy" in lines or "!deploy/secrets" in lines:
            yield Problem(ignoring, "", "does not keep deploy/secrets/ out")


def _mounted_at(secret: str | Mapping[str, Any]) -> str:
    target = secret if isinstance(secret, str) else str(secret.get("target") or secret.get("source"))
    return target if target.startswith("/") else f"/run/secrets/{target}"


# --- from the command line --------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--top", type=Path, default=TOP, help="the repository")
    problems = check(parser.parse_args().top)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
