"""Playbooks: published once, seen by every replica, and the one an incident was opened under stays readable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from runtime_builders import NOW, connected, playbook
from structlog.testing import capture_logs

from tocsin_playbook import PlaybookError, revision_of
from tocsin_runtime import Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.playbooks import Playbooks, UnknownPlaybookError, push
from tocsin_schemas import PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import playbook_subject
from tocsin_testkit.nats import NatsServer

ONE, TWO = playbook(more="# one\n"), playbook(more="# two\n")
WITH_ERRORS = playbook(more='escalate:\n  - severities: [P1]\n    levels: [{after: 0s, notify: ["person:nobody"]}]\n')


@asynccontextmanager
async def following(connection: Connection) -> AsyncIterator[Playbooks]:
    playbooks = Playbooks(partial(Follower, connection, service="test"))
    await playbooks.start()
    await asyncio.wait_for(playbooks.caught_up.wait(), 10)
    try:
        yield playbooks
    finally:
        await playbooks.stop()


async def until(playbooks: Playbooks, position: int) -> None:
    async with asyncio.timeout(10):
        while playbooks.position < position:  # simple is enough here
            await asyncio.sleep(0.01)


async def published(connection: Connection) -> int:
    count: int = (await connection.request("$JS.API.STREAM.INFO.PLAYBOOKS"))["state"]["messages"]
    return count


async def put(connection: Connection, ref: PlaybookRef, text: str) -> None:
    """Publish without any of the checks."""
    data = PlaybookPublished(playbook=ref, text=text)
    await connection.publish(playbook_subject(ref.name), caused_by(derive_id(text), 0, "playbook", "", NOW, data))


async def test_what_is_pushed_is_seen_by_every_replica(connection: Connection) -> None:
    async with following(connection) as one, following(connection) as other:
        changed: list[PlaybookRef | None] = []
        one.on_change(lambda: changed.append(one.head("small")))
        ref, was_published = await push(connection, ONE, source="small.yaml")
        for each in (one, other):
            await until(each, 1)
            assert each.heads() == {"small": ref}
            assert each.get(ref).metadata.name == "small"
    assert was_published
    assert changed == [ref]
    assert ref == PlaybookRef(name="small", revision=revision_of(ONE))


async def test_the_text_in_force_is_not_published_twice(connection: Connection) -> None:
    first, _ = await push(connection, ONE, source="a.yaml")
    again, was_published = await push(connection, ONE.replace("\n", "\r\n"), source="b.yaml")
    assert (again, was_published) == (first, False)
    assert await published(connection) == 1


async def test_going_back_to_an_old_text_publishes_it_again(connection: Connection) -> None:
    refs = [(await push(connection, text, source="p"))[0] for text in (ONE, TWO, ONE, TWO)]
    assert await published(connection) == 4
    async with following(connection) as playbooks:
        assert playbooks.head("small") == refs[1] == refs[3] != refs[0]


async def test_an_incident_finds_its_own_revision_after_a_restart(
    connection: Connection, nats_server: NatsServer
) -> None:
    pinned, _ = await push(connection, ONE, source="p")
    current, _ = await push(connection, TWO, source="p")
    await asyncio.to_thread(nats_server.kill)
    await asyncio.to_thread(nats_server.start)
    later = await connected(nats_server, "later")
    async with following(later) as playbooks:
        assert playbooks.head("small") == current
        assert playbooks.get(pinned).metadata.name == "small"
        assert playbooks.get(pinned) is playbooks.get(pinned)
    await later.close()


async def test_playbooks_of_several_systems_stand_side_by_side(connection: Connection) -> None:
    for name in ("shop", "bank"):
        await push(connection, playbook(name), source=name)
    async with following(connection) as playbooks:
        assert list(playbooks.heads()) == ["bank", "shop"]


async def test_what_was_never_published_is_said_to_be_unknown(connection: Connection) -> None:
    async with following(connection) as playbooks:
        assert playbooks.head("small") is None
        with pytest.raises(UnknownPlaybookError, match="small revision 0123456789ab was never published"):
            playbooks.get(PlaybookRef(name="small", revision="0123456789ab"))


@pytest.mark.parametrize("text", [WITH_ERRORS, "nonsense", "", "kind: [", "a: &a [*a]"])
async def test_a_text_with_errors_is_not_published(connection: Connection, text: str) -> None:
    with pytest.raises(PlaybookError, match=r"small\.yaml:\d+:\d+: "):
        await push(connection, text, source="small.yaml")
    assert await published(connection) == 0


async def test_a_broken_text_in_the_stream_leaves_the_one_before_in_force(connection: Connection) -> None:
    ref, _ = await push(connection, ONE, source="p")
    broken = PlaybookRef(name="small", revision="0123456789ab")
    with capture_logs() as logs:
        async with following(connection) as playbooks:
            await put(connection, broken, "kind: [")
            await until(playbooks, 2)
            assert playbooks.head("small") == ref
            with pytest.raises(UnknownPlaybookError):
                playbooks.get(broken)
            after, _ = await push(connection, TWO, source="p")
            await until(playbooks, 3)
            assert playbooks.head("small") == after
    assert {entry["event"] for entry in logs if entry["log_level"] == "error"} == {
        "a published playbook does not load; the one before stays in force"
    }


@pytest.mark.parametrize(
    "ref", [PlaybookRef(name="small", revision=revision_of(ONE)), PlaybookRef(name="other", revision=revision_of(TWO))]
)
async def test_a_text_under_a_name_or_revision_that_is_not_its_own_is_not_taken(
    connection: Connection, ref: PlaybookRef
) -> None:
    """A revision never changes its content, whoever may write to the stream."""
    first, _ = await push(connection, ONE, source="p")
    async with following(connection) as playbooks:
        before = playbooks.get(first)
        await put(connection, ref, TWO)
        await until(playbooks, 2)
        assert playbooks.heads() == {"small": first}
        assert playbooks.get(first) is before


async def test_a_listener_that_fails_is_seen_by_the_supervisor(connection: Connection) -> None:
    def broken() -> None:
        raise KeyError("bug")

    async with following(connection) as playbooks:
        assert playbooks.failed is None
        playbooks.on_change(broken)
        await push(connection, ONE, source="p")
        async with asyncio.timeout(10):
            while playbooks.failed is None:  # simple is enough here
                await asyncio.sleep(0.01)
        assert isinstance(playbooks.failed, KeyError)


async def test_a_copy_of_an_old_message_does_not_bring_its_text_back_and_a_push_of_it_does(
    connection: Connection,
) -> None:
    """Whoever may read the stream can have the server repeat what is in it, once the stream has forgotten its id."""
    first, _ = await push(connection, ONE, source="small.yaml")
    second, _ = await push(connection, TWO, source="small.yaml")
    stored = await connection.client.jetstream().get_msg("PLAYBOOKS", 1)
    headers = {name: value for name, value in (stored.headers or {}).items() if name != "Nats-Msg-Id"}
    await connection.publish_raw(playbook_subject("small"), stored.data or b"", headers)
    async with following(connection) as playbooks:
        await until(playbooks, 3)
        assert playbooks.head("small") == second
        await push(connection, ONE, source="small.yaml")
        await until(playbooks, 4)
        assert playbooks.head("small") == first
