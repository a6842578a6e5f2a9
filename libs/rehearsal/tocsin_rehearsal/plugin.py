"""The pytest plugin, registered as `tocsin_rehearsal`: virtual worlds and recordings as fixtures.

Each fixture imports what it needs when it is used: tests that use none pay nothing.
"""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tocsin_rehearsal.recorded import Recording
    from tocsin_rehearsal.replaying import Replay
    from tocsin_rehearsal.staging import Stage
    from tocsin_rehearsal.world import World

_STAGE = pytest.StashKey["Stage"]()

_PLAYBOOK = ("text", "start", "replicas", "settings", "leave_out")
_REPLAY = ("playbook", "replicas", "tolerance")


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        f"playbook(*files, {', '.join(_PLAYBOOK)}): the playbooks of the fixture `world`, relative to the test's file",
        f"replay(file, {', '.join(_REPLAY)}): the recording of the fixtures `recorded` and `replayed`, relative to the "
        "test's file",
    ):
        config.addinivalue_line("markers", marker)


@pytest.fixture
def make_world(request: pytest.FixtureRequest) -> "Iterator[Callable[..., World]]":
    """Makes virtual worlds: `make_world("shop.yaml", replicas=2)`, `make_world(text=…)`.

    They are closed when the test is over, and it fails if a service in one of them has died by itself.
    """
    from tocsin_rehearsal.staging import Stage, quiet

    stage = request.node.stash[_STAGE] = Stage(request.path.parent)
    with quiet():
        yield stage.make_world
        stage.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, make_world: "Callable[..., World]") -> "World":
    """A virtual world of the playbooks that the marker `playbook` names."""
    marker = _marker(request, "playbook", _PLAYBOOK)
    with _said_shortly():
        return make_world(*marker.args, **marker.kwargs)


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> "Recording":
    """What the file holds that the marker `replay` names: envelopes in order; `.alerts`, `.log`, `.commands`."""
    from tocsin_rehearsal.recorded import Recording

    marker = _marker(request, "replay", _REPLAY)
    with _said_shortly():
        return Recording.read(request.path.parent / marker.args[0])


@pytest.fixture
def replayed(request: pytest.FixtureRequest, recorded: "Recording", make_world: "Callable[..., World]") -> "Replay":
    """The recording lived through by a virtual world: `.world`, and the `.differences` of what was decided."""
    stage: Stage = request.node.stash[_STAGE]  # `make_world` has made it
    marker = _marker(request, "replay", _REPLAY)
    with _said_shortly():
        return stage.replay(recorded, **marker.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what happened in its worlds."""
    report = yield
    stage = item.stash.get(_STAGE, None)
    if stage is not None:
        if call.excinfo is not None:
            stage.hear(call.excinfo.value)
        if report.failed:
            report.sections += stage.sections()
        if call.when == "teardown":
            del item.stash[_STAGE]
    return report


def _marker(request: pytest.FixtureRequest, name: str, known: Collection[str]) -> pytest.Mark:
    marker: pytest.Mark | None = request.node.get_closest_marker(name)
    if marker is None or not (marker.args or "text" in marker.kwargs):
        pytest.fail(f'the fixture `{request.fixturename}` needs a file: @pytest.mark.{name}("…")', pytrace=False)
    if unknown := sorted(marker.kwargs.keys() - set(known)):
        pytest.fail(f"the marker `{name}` knows no {unknown[0]!r}; it knows {', '.join(known)}", pytrace=False)
    return marker


@contextmanager
def _said_shortly() -> Iterator[None]:
    """What is wrong with a file is said without where in the plugin it was found."""
    from tocsin_playbook import PlaybookError
    from tocsin_rehearsal.recording import RecordingError
    from tocsin_rehearsal.replaying import NothingToReplayError

    try:
        yield
    except (OSError, PlaybookError, RecordingError, NothingToReplayError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
