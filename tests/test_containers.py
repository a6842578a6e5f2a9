"""The container files: what stands passes its check, every rule finds what it is for, and real servers start with them.

Needs no Docker. Each broken copy differs from what stands in one place.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
import redis
import yaml
from nats.errors import Error as NatsError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tocsin_runtime import Address, Connection
from tocsin_runtime.identities import IDENTITIES
from tocsin_testkit.nats import NatsServer, nats_binary
from tocsin_testkit.ports import free_port
from tocsin_testkit.valkey import ValkeyServer, valkey_binary

TOP = Path(__file__).resolve().parent.parent
DEPLOY = TOP / "deploy"

sys.path.insert(0, str(DEPLOY))  # its scripts are no package: they are run as files

from check_containers import check, check_compose  # noqa: E402  # found by the line above
from dockerfiles import check_dockerfiles  # noqa: E402
from make_secrets import FILES, make_secrets  # noqa: E402

from tocsin.services import SERVICES  # noqa: E402

COMPOSE = "docker-compose.yml"
DETECTOR, NATS = "services/detector/Dockerfile", "deploy/nats/Dockerfile"
ESCALATOR_BUILD = "dockerfile: services/escalator/Dockerfile"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the checks read, to be broken."""
    for pattern in ("docker-compose.yml", ".*ignore", "requirements.lock", "deploy/**/*", "services/*/Dockerfile"):
        _copy(tmp_path, *TOP.glob(pattern))
    _copy(tmp_path, *TOP.glob("libs/*/pyproject.toml"), *TOP.glob("services/*/pyproject.toml"))
    return tmp_path


def _copy(to: Path, *files: Path) -> None:
    for file in files:
        if file.is_file() and "secrets" not in file.parts and file.suffix != ".pyc":
            target = to / file.relative_to(TOP)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def _break(copy: Path, file: str, old: str, new: str) -> None:
    text = (copy / file).read_text()
    assert old in text, f"{old!r} is not in {file} any more: this test breaks nothing"
    (copy / file).write_text(text.replace(old, new, 1))


def test_what_stands_has_no_problem(copy: Path) -> None:
    assert check(copy) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('user: "65532:65532"', "", "services.detector: user is ''"),
        ('user: "999:1000"', 'user: "0:0"', "services.valkey: user is '0:0'"),
        ("  read_only: true\n", "", "services.nats: its file system can be written to"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "services.escalator: it keeps Linux capabilities"),
        ("no-new-privileges:true", "no-new-privileges:false", "services.notifier: it may gain rights"),
        ("  stop_signal: SIGTERM", "  privileged: true", "services.recorder: privileged gives it a part of the host"),
        ("test: [CMD, python, -I, /opt/tocsin/healthy.py]", "disable: false", "nobody can tell whether it works"),
        ("  stop_grace_period: 30s", "  init: true", "services.remediator: it is killed after 10 s"),
        ("stop_signal: SIGTERM", "stop_signal: SIGKILL", "stop_signal is not SIGTERM"),
        ("valkey/valkey:9.1-alpine", "valkey/valkey:latest", "services.valkey: image is 'valkey/valkey:latest'"),
        ("tocsin/nats:2.15", "tocsin/nats", "services.nats: image is 'tocsin/nats'"),
        ("TOCSIN_NATS_PASSWORD_FILE: /run/secrets/nats_detector", "TOCSIN_NATS_PASSWORD: x", "holds a secret where"),
        ("nats://nats:4222", "nats://escalator:hunter2@nats:4222", "TOCSIN_NATS_URL holds a secret where"),
        ("/run/secrets/nats_recorder\n", "/run/secrets/nats_operator\n", "which is not among its secrets"),
        ("${TOCSIN_BIND:-127.0.0.1}:7301:8080", "7301:8080", "services.detector: port 7301:8080 is open"),
        ("${TOCSIN_BIND:-127.0.0.1}:7300", "${TOCSIN_BIND:-0.0.0.0}:7300", "services.recorder: port"),
        ("valkey.conf:ro", "valkey.conf", "it may write to ./deploy/valkey/valkey.conf on the host"),
        ("- valkey:/data", "- /var/run/docker.sock:/x:ro", "services.valkey: whoever has Docker's socket"),
        (ESCALATOR_BUILD, "dockerfile: services/detector/Dockerfile", "services.escalator: build is"),
        ("  recorder: # every", "  archivist: # every", "services: recorder is missing"),
        ("TOCSIN_LOG_LEVEL:", "TOCSIN_LOG_LEVLE:", "TOCSIN_LOG_LEVLE is not a setting of it"),
        ("TOCSIN_NATS_USER: escalator", "TOCSIN_NATS_USER: operator", "services.escalator: TOCSIN_NATS_USER is"),
        ("./deploy/secrets/nats_notifier", "./deploy/secrets/nats_notify", "secrets.nats_notifier: deploy/make"),
        ("./deploy/secrets/redis_url", "./redis_url", "secrets.redis_url: deploy/make-secrets"),
        ("  nats:\n    <<", "  nats:\n    imgae: x\n    <<", "'imgae' was unexpected"),
        ("retries: 3", "retries: three\n    tries: 3", "services.detector.healthcheck"),
        ("environment:\n      <<:", "environment: [A=B]\n    labels:\n      <<:", "as a mapping"),
        ("services:", "services: [", "cannot be read"),
    ],
)  # fmt: skip
def test_each_rule_for_compose_finds_what_it_is_for(copy: Path, old: str, new: str, message: str) -> None:
    _break(copy, COMPOSE, old, new)

    assert [problem for problem in map(str, check_compose(copy)) if message in problem], list(map(str, check(copy)))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (DETECTOR, "--timeout=4s", "--timeout=5s", "differs from detector's in more than the name"),
        (DETECTOR, "ENTRYPOINT", "LABEL a=b\nENTRYPOINT", "differs from detector's in more than the name"),
        (DETECTOR, "tocsin_detector", "tocsin_escalator", "differs from detector's in more than the name"),
        (DETECTOR, "USER 65532:65532\n", "", "services/detector/Dockerfile: it runs as root"),
        (DETECTOR, "USER 65532:65532", "USER root", "services/detector/Dockerfile: it runs as root"),
        (DETECTOR, "STOPSIGNAL SIGTERM", "", "services/detector/Dockerfile: STOPSIGNAL"),
        (DETECTOR, "HEALTHCHECK ", "# ", "services/detector/Dockerfile: HEALTHCHECK is missing"),
        (DETECTOR, "FROM python:3.11-slim-bookworm\n", "FROM python\n", "FROM python: pin it by a tag"),
        (DETECTOR, "WORKDIR /data", "ENV TOCSIN_NATS_PASSWORD=x", "a secret in ENV or ARG stays in the image"),
        (DETECTOR, "WORKDIR /data", "ADD https://x.example/a.tar /", "ADD fetches and unpacks"),
        (DETECTOR, "pip install --no-cache-dir", "sudo pip install", "hadolint: services/detector/Dockerfile:"),
        (NATS, "nats:2.15-alpine", "nats:2.12-alpine", "deploy/nats/Dockerfile: nats-server 2.12; the tests run"),
        (NATS, "nats:2.15-alpine", "nats:latest", "deploy/nats/Dockerfile: FROM nats:latest: pin it by a tag"),
        ("deploy/own-packages.txt", "tocsin-runtime @", "tocsin-runtime2 @", "expected the line  tocsin-runtime @"),
        ("requirements.lock", "\nuvloop==", "\nuvloop2==", "uvloop>=0.22 is not in requirements.lock"),
    ],
)  # fmt: skip
def test_each_rule_for_dockerfiles_finds_what_it_is_for(
    copy: Path, file: str, old: str, new: str, message: str
) -> None:
    _break(copy, file, old, new)

    found = list(map(str, check_dockerfiles(copy, SERVICES)))

    assert [problem for problem in found if message in problem], found


def test_a_missing_dockerfile_is_a_problem(copy: Path) -> None:
    (copy / DETECTOR).unlink()

    assert list(map(str, check_dockerfiles(copy, SERVICES))) == ["services/detector/Dockerfile: is missing"]


@pytest.mark.parametrize(("file", "line"), [(".gitignore", "deploy/secrets/"), (".dockerignore", "*\n")])
def test_secrets_are_kept_out_of_commits_and_of_builds(copy: Path, file: str, line: str) -> None:
    _break(copy, file, line, "")

    assert [f"{file}: does not keep deploy/secrets/ out"] == list(map(str, check_compose(copy)))


def test_the_command_says_what_is_wrong_and_ends_with_1(copy: Path) -> None:
    _break(copy, COMPOSE, "valkey/valkey:9.1-alpine", "valkey/valkey")

    ran = subprocess.run(
        [sys.executable, str(DEPLOY / "check_containers.py"), "--top", str(copy)], capture_output=True, text=True
    )

    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout == (
        "docker-compose.yml: services.valkey: image is 'valkey/valkey': pin it by a tag other than latest\n"
    )


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_are_random_kept_and_shut_away(tmp_path: Path) -> None:
    folder, other = tmp_path / "secrets", tmp_path / "other"
    make_secrets(folder), make_secrets(other)
    before = {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}
    assert make_secrets(folder) == []

    assert {file.name: file.read_text() for file in folder.iterdir() if file.is_file()} == before
    assert set(before) == set(FILES)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len({before[f"nats_{name}"] for name in IDENTITIES}) == len(IDENTITIES)
    assert not set(before.values()) & {file.read_text() for file in other.iterdir() if file.is_file()}


def test_access_tokens_stand_in_a_folder_of_their_own_and_stay(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    tokens = tmp_path / "access" / "tokens"
    assert tokens.stat().st_mode & 0o777 == 0o444, "containers run as somebody else"
    tokens.chmod(0o644)
    tokens.write_text("ada sha256:…\n")
    make_secrets(tmp_path)
    assert tokens.read_text() == "ada sha256:…\n"


def test_a_removed_password_is_made_anew_and_the_server_is_told(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    (tmp_path / "nats_source").unlink()

    assert make_secrets(tmp_path) == ["nats_source"]

    assert (tmp_path / "nats_source").read_text() in (tmp_path / "nats_users.conf").read_text()


def test_make_secrets_is_a_command(tmp_path: Path) -> None:
    ran = subprocess.run([str(DEPLOY / "make-secrets"), "--folder", str(tmp_path)], capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "new passwords: nats_detector," in ran.stdout
    for name in IDENTITIES:
        assert (tmp_path / f"nats_{name}").read_text() not in ran.stdout


# --- real servers with these files ------------------------------------------------------------------------------------


class ConfiguredNats(NatsServer):
    """The real nats-server with deploy/nats/nats.conf; only its ports and its folder are the test's."""

    def prepare(self) -> None:
        text = (DEPLOY / "nats" / "nats.conf").read_text()
        for old, new in (
            ("listen: 0.0.0.0:4222", f"listen: 127.0.0.1:{self.port}"),
            ("http: 0.0.0.0:8222", f"http: 127.0.0.1:{self.monitor_port}"),
            ("store_dir: /data", f"store_dir: {json.dumps(str(self.store))}"),
            ("server_name: tocsin", f"server_name: {self.server_name}"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        self.config_file.write_text(text)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    make_secrets(tmp_path / "secrets")
    return tmp_path / "secrets"


@pytest.fixture
def server(tmp_path: Path, secrets: Path) -> Iterator[NatsServer]:
    configured = ConfiguredNats(tmp_path / "nats")
    configured.folder.mkdir()
    shutil.copy(secrets / "nats_users.conf", configured.folder / "users.conf")
    with configured:
        yield configured


def test_nats_server_accepts_its_configuration(tmp_path: Path, secrets: Path) -> None:
    shutil.copy(DEPLOY / "nats" / "nats.conf", tmp_path)
    shutil.copy(secrets / "nats_users.conf", tmp_path / "users.conf")

    ran = subprocess.run([str(nats_binary()), "-t", "-c", str(tmp_path / "nats.conf")], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr


async def test_each_identity_comes_in_with_its_password_and_nobody_without(server: NatsServer, secrets: Path) -> None:
    for identity in IDENTITIES:
        connection = Connection(Address(server.url, identity, (secrets / f"nats_{identity}").read_text()), identity)
        await connection.open()
        assert connection.is_connected
        await connection.close()

    with pytest.raises(NatsError, match="Authorization Violation"):
        await nats.connect(server.url, allow_reconnect=False, error_cb=_ignore)


async def _ignore(_: Exception) -> None:
    """The refusal is raised as well."""


def test_a_service_with_the_environment_of_compose_becomes_healthy(server: NatsServer, secrets: Path) -> None:
    service = yaml.safe_load((TOP / COMPOSE).read_text())["services"]["detector"]
    port = free_port()
    environment = {
        name: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))
        .replace("nats://nats:4222", server.url)
        .replace("http://nats:8222", server.monitor_url)
        .replace("/run/secrets", str(secrets))
        for name, value in service["environment"].items()
    }
    environment |= {"TOCSIN_HTTP_HOST": "127.0.0.1", "TOCSIN_HTTP_PORT": str(port), "PATH": os.environ["PATH"]}
    healthy = [sys.executable, "-I", str(DEPLOY / "healthy.py")]

    before = subprocess.run(healthy, env=environment, capture_output=True, text=True)
    assert (before.returncode, before.stdout[:9]) == (1, "no answer")

    process = subprocess.Popen([sys.executable, "-m", "tocsin_detector"], env=environment)
    try:
        while (answer := subprocess.run(healthy, env=environment, capture_output=True, text=True)).returncode:
            assert process.poll() is None, answer.stdout
        assert '"ready":true' in answer.stdout
    finally:
        process.terminate()
        assert process.wait(30) == 0


class ConfiguredValkey(ValkeyServer):
    """The real Valkey with deploy/valkey/valkey.conf."""

    def command(self) -> list[str]:
        text = (DEPLOY / "valkey" / "valkey.conf").read_text()
        text = text.replace("dir /data", f"dir {self.folder}").replace("/run/secrets", str(self.folder))
        (self.folder / "server.conf").write_text(text)
        return [str(valkey_binary()), str(self.folder / "server.conf"), "--bind", self.host, "--port", str(self.port)]


def test_valkey_takes_its_configuration_and_wants_the_password_of_the_redis_url(tmp_path: Path, secrets: Path) -> None:
    server = ConfiguredValkey(tmp_path / "valkey")
    server.folder.mkdir()
    shutil.copy(secrets / "valkey.conf", server.folder / "valkey.conf")
    with server:
        anybody = redis.Redis(server.host, server.port, retry=Retry(NoBackoff(), 0))
        with anybody, pytest.raises(redis.AuthenticationError):
            anybody.ping()
        url = (secrets / "redis_url").read_text().replace("@valkey:6379", f"@{server.host}:{server.port}")
        with redis.Redis.from_url(url) as known:
            assert known.ping()
            assert known.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
