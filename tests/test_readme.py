"""What the documents for newcomers say, holds: commands, links, the first playbook, the senders of alerts."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
import yaml

from tocsin import testing
from tocsin.linting import lint_files
from tocsin.main import app, out
from tocsin.place import Place, Reach
from tocsin_detector.app import build
from tocsin_detector.settings import DetectorSettings
from tocsin_playbook import lint
from tocsin_runtime import Host, load_settings
from tocsin_runtime.identities import users
from tocsin_testkit.nats import NatsServer

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text()
NOT_YET = README[README.index("Does not work yet") : README.index("## Documents")]
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "CHANGELOG.md", TOP / "docs" / "architecture.md"]
DOCUMENTS.append(TOP / "docs" / "operators.md")
DOCUMENTS += sorted((TOP / "docs" / "adr").glob("*.md"))


def blocks(language: str, containing: str) -> str:
    """The one block of this language that contains this."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1, f"{len(found)} blocks of {language} contain {containing!r}"
    return str(found[0])


COMMAND = r"^tocsin ([a-z-]+(?: (?:push|show|export|import|override|swap|lift|add|list|revoke))?)"
"""A command, and of some the word that says which part of it."""


def code(text: str) -> str:
    """What stands in blocks of code and between backticks."""
    without_blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", without_blocks))


def commands() -> set[str]:
    """Every command of `tocsin`, as `lint` or `playbook push`."""
    group = typer.main.get_command(app)
    return set(_below(group, ()))


def _below(group: object, before: tuple[str, ...]) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        below = list(_below(command, (*before, name)))
        yield from below or [" ".join((*before, name))]


# --- what is named exists ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"^(?:`|\s*)make ((?:[a-z][a-z-]* ?)+)", code(document.read_text()), re.MULTILINE)
    targets = set(re.findall(r"^([a-z][a-z-]*):", (TOP / "Makefile").read_text(), re.MULTILINE))

    assert {target for line in named for target in line.split()} <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_every_command_that_is_named_exists(document: Path) -> None:
    named = re.findall(COMMAND, code(document.read_text().replace(NOT_YET, "")), re.MULTILINE)

    groups = {name.split()[0] for name in commands()}
    assert set(named) <= commands() | groups


def test_the_readme_names_the_commands_of_an_operator() -> None:
    named = set(re.findall(COMMAND, code(README), re.MULTILINE))

    assert commands() - named <= {"demo"}  # `make demo`


def test_what_does_not_work_yet_does_not_exist() -> None:
    """Whoever makes one of these work finds here that the README must say so."""
    assert "`tocsin backtest`" in NOT_YET
    assert "backtest" not in commands()
    assert not (TOP / "deploy" / "helm").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)|^\[[^\]]+\]: (?!https?:)(\S+)", text, re.MULTILINE)
    for link in (one or other for one, other in links):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name}: {link}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_every_decision_is_listed_and_has_its_three_parts() -> None:
    folder = TOP / "docs" / "adr"
    listed = set(re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text()))
    pages = {path.name for path in folder.glob("[0-9]*.md")}

    assert pages == listed
    for page in pages:
        titles = re.findall(r"^#+ (.*)$", (folder / page).read_text(), re.MULTILINE)
        assert titles[0].startswith(f"{page[:4]}: ")
        assert titles[1:] == ["Context", "Decision", "Consequences"]


def test_every_file_that_the_architecture_names_exists() -> None:
    text = (TOP / "docs" / "architecture.md").read_text()
    for named in re.findall(r"`((?:libs|services|deploy)/[^`<]+)`", text):
        for path in _alternatives(named):
            assert (TOP / path).exists(), named


def _alternatives(path: str) -> list[str]:
    """a/{b,c}.py → a/b.py, a/c.py"""
    found = re.fullmatch(r"([^{]*)\{([^}]*)\}(.*)", path)
    return [f"{found[1]}{each}{found[3]}" for each in found[2].split(",")] if found else [path]


# --- the first playbook -----------------------------------------------------------------------------------------------


def test_the_first_playbook_has_ten_lines_and_nothing_to_complain_about(tmp_path: Path) -> None:
    text = blocks("yaml", "kind: Playbook\n")
    file = tmp_path / "shop.yaml"
    file.write_text(text)

    assert lint(text, "shop.yaml") == []
    assert lint_files([file], out) == 0
    assert len(text.strip().splitlines()) == 10


def test_the_first_test_passes_and_fails_when_the_playbook_says_otherwise(tmp_path: Path) -> None:
    playbook, case = blocks("yaml", "kind: Playbook\n"), blocks("yaml", "kind: PlaybookTest")
    (tmp_path / "shop.test.yaml").write_text(case)
    (tmp_path / "shop.yaml").write_text(playbook)
    assert testing.test(testing.TestOptions((tmp_path,)), out) == 0
    (tmp_path / "shop.yaml").write_text(playbook.replace("for: 5s", "for: 5m"))
    assert testing.test(testing.TestOptions((tmp_path,)), out) == 1


# --- sending alerts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An embedded Tocsin's folder, as `tocsin up` makes it, with its nats-server."""
    made = Place(tmp_path / ".tocsin")
    made.prepare()
    with NatsServer(made.folder / "nats", users=users(made.passwords())) as nats:
        made.announce(Reach(nats.url, nats.monitor_url, "", "", "", os.getpid()))
        yield made


async def test_alerts_can_be_sent_with_curl_and_amtool_as_the_readme_shows(place: Place) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    reach = place.reach()
    assert reach is not None
    settings = load_settings(
        DetectorSettings, {}, nats_url=reach.nats_url, nats_user="detector", nats_check_sync=False, http_port=0,
        nats_password=place.passwords()["detector"],
    )  # fmt: skip
    host = Host(settings, build)
    await host.start()
    try:
        for block, needs in ((blocks("sh", "curl --fail"), "curl"), (blocks("sh", "amtool"), "amtool")):
            if shutil.which(needs) is not None:
                script = block.replace("http://127.0.0.1:7301", host.ops.url)
                ran = await asyncio.create_subprocess_exec("bash", "-ec", script)
                assert await ran.wait() == 0, script
        async with httpx.AsyncClient(trust_env=False) as client:
            firing = (await client.get(f"{host.ops.url}/api/v2/alerts")).json()
    finally:
        await host.stop()
    assert {alert["labels"]["alertname"] for alert in firing} == {"QueueStuck"}


def test_the_prometheus_configuration_is_one(tmp_path: Path) -> None:
    text = blocks("yaml", "alertmanagers")
    (tmp_path / "prometheus.yml").write_text(text)

    targets = yaml.safe_load(text)["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert targets == [f"127.0.0.1:{DetectorSettings.model_fields['http_port'].default}"]
    if (promtool := shutil.which("promtool")) is not None:
        subprocess.run([promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, check=True, capture_output=True)
