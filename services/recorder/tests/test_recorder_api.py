"""The API: what is asked is checked, what is answered is whole and harmless, and every refusal says what to do."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from recorder_builders import (
    ADA,
    INCIDENT,
    NOW,
    OTHER,
    NoPlaybooks,
    a_whole_incident,
    after,
    as_log,
    every_event,
    grouped,
    opened,
    paged,
)
from starlette.applications import Starlette

from tocsin_recorder.adapters.api import Api
from tocsin_recorder.adapters.console import Console
from tocsin_recorder.adapters.database import Database
from tocsin_recorder.adapters.harmless import harmless_json
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.pages import Pages
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.sessions import Sessions
from tocsin_recorder.adapters.store import Store
from tocsin_runtime import SystemClock
from tocsin_runtime.tokens import Tokens
from tocsin_schemas import Event, Impact, Role
from tocsin_schemas import events as said
from tocsin_schemas.envelope import caused_by
from tocsin_schemas.signals import DeadLettered

OTHERS = ("k3vqaaaaaaaa", "zzzzaaaaaaaa")


class Frozen(SystemClock):
    def now(self) -> Any:  # `Any`: a datetime, for the reader of the test
        return after(60)


class Bench:
    """The recorder's HTTP side over a database of its own, without NATS."""

    def __init__(self, database: Database) -> None:
        self.database, self.store, self.live = database, Store(database), LiveFeed(2)
        queries = Queries(database)
        sessions = Sessions(Tokens(None), Frozen())
        console = Console(queries, NoPlaybooks(), sessions, Pages(), Frozen())  # type: ignore[arg-type]  # a double
        routes = [*Api(queries, self.live, Frozen()).routes(), *console.routes()]
        app = Starlette(routes=routes)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://recorder")
        self.last = 0

    async def tell(self, story: list[tuple[float, Event]], incident: str = INCIDENT) -> None:
        log = as_log(story, incident=incident, first=self.last + 1)
        self.last += len(log)
        self.live.publish((await self.store.record(log)).incidents)

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == ("application/json" if status < 400 else "application/problem+json")
        return json.loads(answer.content)

    async def refused(self, path: str, status: int, **query: Any) -> str:
        problem = await self.get(path, status, **query)
        assert problem["status"] == status
        assert problem["detail"].endswith(".")
        return str(problem["detail"])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timeline.db")
    await database.open()
    made = Bench(database)
    yield made
    await made.client.aclose()
    await database.close()


# --- incidents -------------------------------------------------------------------------------------------------------


async def test_an_incident_is_answered_whole(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    found = await bench.get(f"/api/v1/incidents/{INCIDENT}")
    assert (found["id"], found["severity"], found["phase"], found["active"]) == (INCIDENT, "P1", "resolved", False)
    assert (found["time_to_acknowledge"], found["time_to_mitigate"], found["time_to_resolve"]) == (12.3, 19.8, 23.9)
    assert found["stages"] == {"detect": 2.4, "respond": 0.3, "mitigate": 19.5, "monitor": 4.1}
    assert found["opened_at"] == "2026-03-01T12:00:00Z"
    assert [action["state"] for action in found["actions"]] == ["did_not_help", "helped"]
    assert found["entries"] == 26


async def test_the_beginning_of_an_id_is_enough_where_only_one_begins_so(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    await bench.tell([(0, opened())], OTHERS[1])
    assert (await bench.get("/api/v1/incidents/k3vq"))["id"] == INCIDENT
    assert (await bench.get("/api/v1/incidents/K3VQ7"))["id"] == INCIDENT
    assert "at least the first 4" in await bench.refused("/api/v1/incidents/k3v", 400)


async def test_an_id_that_is_the_beginning_of_another_is_itself(bench: Bench) -> None:
    await bench.tell([(0, opened())], "inc")
    await bench.tell([(0, opened())], "inc-2")
    assert (await bench.get("/api/v1/incidents/inc"))["id"] == "inc"


async def test_the_beginning_of_several_ids_is_refused_with_all_of_them(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    await bench.tell([(0, opened())], OTHERS[0])
    problem = await bench.get("/api/v1/incidents/k3vq", 409)
    assert problem["candidates"] == [INCIDENT, OTHERS[0]]
    assert problem["detail"] == "'k3vq' begins the ids of several incidents: give more characters."


@pytest.mark.parametrize("typed", ["nobody", "zzzz"])
async def test_an_incident_that_is_not_there_is_not_found(bench: Bench, typed: str) -> None:
    await bench.tell(a_whole_incident())
    for path in ("", "/timeline", "/verify"):
        assert await bench.refused(f"/api/v1/incidents/{typed}{path}", 404) == f"There is no incident {typed!r}."


@pytest.mark.parametrize(
    "typed", ["%25", "k3vq%25", "k3v_", "a'b", "%2e%2e%2f", "%00%00%00%00", "*.>", "x" * 65, "ä" * 4]
)
async def test_what_is_no_id_is_refused_and_matches_nothing(bench: Bench, typed: str) -> None:
    await bench.tell(a_whole_incident())
    answer = await bench.client.get(f"/api/v1/incidents/{typed}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_incidents_are_listed_newest_first_page_by_page(bench: Bench) -> None:
    names = [f"incident{number:04}" for number in range(7)]
    for name in names:
        await bench.tell([(0, opened())], name)
    seen, cursor = [], None
    while True:
        page = await bench.get("/api/v1/incidents", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [incident["id"] for incident in page["incidents"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == names[::-1]


async def test_a_page_is_not_disturbed_by_what_comes_in_meanwhile(bench: Bench) -> None:
    for name in ("aaaa1", "aaaa2", "aaaa3"):
        await bench.tell([(0, opened())], name)
    first = await bench.get("/api/v1/incidents", limit=2)
    await bench.tell([(0, opened())], "aaaa4")
    second = await bench.get("/api/v1/incidents", limit=2, cursor=first["next"])
    assert [incident["id"] for incident in second["incidents"]] == ["aaaa1"]


async def test_the_list_can_be_narrowed(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    await bench.tell([(0, opened("P0"))], OTHERS[0])
    await bench.tell([(0, opened("P1"))], OTHERS[1])

    async def listed(**query: Any) -> set[str]:
        return {incident["id"] for incident in (await bench.get("/api/v1/incidents", **query))["incidents"]}

    assert await listed(active="true") == set(OTHERS)
    assert await listed(active="false") == {INCIDENT}
    assert await listed(severity="P1") == {INCIDENT, OTHERS[1]}
    assert await listed(severity="P1", active="true") == {OTHERS[1]}
    assert await listed(severity="") == {INCIDENT, *OTHERS}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"active": "yes"}, "'true' or 'false'"),
        ({"limit": "0"}, "from 1 to 200"),
        ({"limit": "1e3"}, "from 1 to 200"),
        ({"limit": "٣"}, "from 1 to 200"),
        ({"limit": "9" * 50}, "from 1 to 200"),
        ({"cursor": "!!"}, "not one that an answer of ours gave"),
        ({"cursor": "YWJj"}, "not one that an answer of ours gave"),
        ({"cursor": "YWJjIGRlZg"}, "not one that an answer of ours gave"),
        ({"cursor": "x" * 401}, "longer than 400"),
        ({"severity": "x" * 129}, "longer than 128"),
        ({"severity": "P1\x1b[2J"}, "cannot be printed"),
        ({"severity": "P1\u202e"}, "cannot be printed"),
        ({"state": "open"}, "it takes active, severity, limit, cursor"),
    ],
)
async def test_a_question_that_cannot_be_is_refused_with_what_was_expected(
    bench: Bench, query: dict[str, str], says: str
) -> None:
    assert says in await bench.refused("/api/v1/incidents", 400, **query)


async def test_a_place_under_the_api_that_is_none_says_where_it_begins(bench: Bench) -> None:
    assert "/api/v1/incidents" in await bench.refused("/api/v2/incidents", 404)
    assert "it takes none" in await bench.refused(f"/api/v1/incidents/{INCIDENT}", 400, after="1")


# --- timeline --------------------------------------------------------------------------------------------------------


async def test_the_timeline_is_answered_page_by_page_with_sentences(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    first = await bench.get(f"/api/v1/incidents/{INCIDENT}/timeline", limit=20)
    assert (len(first["entries"]), first["next_after"]) == (20, 20)
    second = await bench.get(f"/api/v1/incidents/{INCIDENT}/timeline", after=first["next_after"], limit=20)
    assert ([entry["seq"] for entry in second["entries"]], second["next_after"]) == (list(range(21, 27)), None)
    opening = first["entries"][0]
    assert opening["sentence"] == "Opened as P1: Checkout is failing"
    assert opening["data"]["severity"] == "P1"
    assert (opening["type"], opening["service"], opening["at"]) == (
        "tocsin.IncidentOpened.v1", "escalator", "2026-03-01T12:00:00.000000Z",
    )  # fmt: skip


async def test_a_chain_is_verified_on_demand(bench: Bench, tmp_path: Path) -> None:
    await bench.tell(a_whole_incident())
    holds = await bench.get(f"/api/v1/incidents/{INCIDENT}/verify")
    assert (holds["intact"], holds["entries"], holds["first_broken"]) == (True, 26, None)
    async with bench.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE entries SET data = replace(data, 'ada', 'bob') WHERE seq = 16")
    broken = await bench.get(f"/api/v1/incidents/{INCIDENT}/verify")
    assert (broken["intact"], broken["first_broken"]["seq"]) == (False, 16)
    assert "does not match its hash" in broken["first_broken"]["reason"]


async def test_a_tampered_entry_is_shown_as_that_and_breaks_no_answer(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    async with bench.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE entries SET data = '{\"a\":', at = 'never' WHERE seq = 5")
        await connection.exec_driver_sql("UPDATE incidents SET summary = 'gone'")
    timeline = await bench.get(f"/api/v1/incidents/{INCIDENT}/timeline")
    assert timeline["entries"][4]["sentence"].startswith("This entry cannot be read")
    assert timeline["entries"][4]["data"] == '{"a":'
    assert (await bench.get(f"/api/v1/incidents/{INCIDENT}"))["severity"] == "P1"
    page = await bench.client.get(f"/incidents/{INCIDENT}")
    assert page.status_code == 200
    assert "This entry cannot be read" in page.text


async def test_every_event_can_be_asked_for(bench: Bench) -> None:
    await bench.tell([(float(number), event) for number, event in enumerate(every_event())])
    timeline = await bench.get(f"/api/v1/incidents/{INCIDENT}/timeline")
    assert len(timeline["entries"]) == len(every_event())
    assert (await bench.get(f"/api/v1/incidents/{INCIDENT}/verify"))["intact"]
    assert (await bench.client.get(f"/incidents/{INCIDENT}")).status_code == 200


# --- hostile text ----------------------------------------------------------------------------------------------------

MARKUP = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}{% raw %}javascript:alert(1)"
MOVING = "\x1b[2J\x07\u202e\u2066\u2028\ufeff"


async def test_hostile_text_is_only_text(bench: Bench) -> None:
    hostile = [
        (0.0, opened(severity=MARKUP[:60], title=MARKUP)),
        (1.0, said.NoteAdded(text=f"{MARKUP}\n{MARKUP}", by=ADA.model_copy(update={"name": MARKUP[:100]}))),
        (2.0, said.CommandRejected(command=MARKUP[:100], reason=MARKUP, by=ADA)),
        (3.0, said.IncidentResolved(by=ADA, notes=MARKUP)),
    ]
    await bench.tell(hostile)
    await bench.store.record_dead_letters([strange_letter()])
    for path in ("/", f"/incidents/{INCIDENT}", "/dead-letters"):
        page = (await bench.client.get(path)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "{{7*7}}" in page
        assert " onerror=alert(1)" not in page.replace("&lt;img src=x onerror=alert(1)", "")


async def test_characters_that_move_or_turn_text_reach_neither_page_nor_terminal(bench: Bench) -> None:
    """The contract refuses them in most fields; here somebody has written them into the database."""
    await bench.tell(a_whole_incident())
    await bench.store.record_dead_letters([strange_letter()])
    async with bench.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE entries SET cause = ?, data = ? WHERE seq = 3", (MOVING, MOVING))
        await connection.exec_driver_sql("UPDATE dead_letters SET reason = ?, subject = ?", (MOVING, MOVING))
    for path in (
        f"/api/v1/incidents/{INCIDENT}/timeline", "/api/v1/dead-letters", f"/incidents/{INCIDENT}", "/dead-letters",
    ):  # fmt: skip
        answer = await bench.client.get(path)
        assert answer.status_code == 200
        assert not any(character in answer.text for character in MOVING if not character.isprintable()), path
    timeline = await bench.get(f"/api/v1/incidents/{INCIDENT}/timeline")
    assert timeline["entries"][2]["cause"] == MOVING  # a program is told what is there


def strange_letter() -> Any:
    letter = DeadLettered(
        service=MARKUP[:100], stream="INCIDENTS", sequence=1, original_subject=MARKUP, reason=MARKUP, deliveries=8
    )
    return caused_by("letter", 0, "notifier", "", NOW, letter).at(1)


def test_json_of_anything_is_text_that_can_be_sent() -> None:
    for text in ("\ud800", "\x00", "\u2028", "ü\U0001f514"):
        sent = harmless_json({"text": text}).decode("utf-8")
        assert json.loads(sent) == {"text": text}
        assert sent.isprintable()


async def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    for path in ("/", f"/incidents/{INCIDENT}", "/dead-letters", "/nowhere"):
        answer = await bench.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert "<script>" not in answer.text
        assert "http://" not in answer.text.replace("http://shop", "").replace("http://www.w3.org", "")


# --- dead letters ----------------------------------------------------------------------------------------------------


async def test_dead_letters_are_listed_with_their_reasons(bench: Bench) -> None:
    letters = []
    for number in range(5):
        letter = DeadLettered(
            service="notifier",
            stream="INCIDENTS",
            sequence=number,
            original_subject=f"tocsin.incidents.{INCIDENT}.notifier.x",
            reason=f"reason {number}",
            deliveries=8,
        )
        letters.append(caused_by(f"l{number}", 0, "notifier", "", after(number), letter).at(number + 1))
    await bench.store.record_dead_letters(letters)
    await bench.store.read_again("INCIDENTS", NOW, "nothing: it ends before")
    first = await bench.get("/api/v1/dead-letters", limit=3)
    second = await bench.get("/api/v1/dead-letters", limit=3, cursor=first["next"])
    reasons = [letter["reason"] for letter in first["dead_letters"] + second["dead_letters"]]
    assert reasons == [f"reason {number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None
    assert first["log_breaks"][0]["found"] == "nothing: it ends before"
    await bench.tell(a_whole_incident())
    page = (await bench.client.get(f"/incidents/{INCIDENT}")).text
    assert "could not handle a message about this incident" in page
    assert "The log was found to be another one" in (await bench.client.get("/")).text


# --- when it cannot be answered --------------------------------------------------------------------------------------


async def test_without_its_database_it_says_so_and_what_the_database_said_is_not_repeated(bench: Bench) -> None:
    await bench.database.close()
    detail = await bench.refused("/api/v1/incidents", 503)
    assert detail == "The timeline cannot be read at the moment; try again shortly."
    page = await bench.client.get("/")
    assert page.status_code == 503
    assert "cannot be read at the moment" in page.text
    assert (await bench.client.get("/static/console.css")).status_code == 200


# --- pages -----------------------------------------------------------------------------------------------------------


async def test_the_pages_say_what_is_going_on_without_javascript(bench: Bench) -> None:
    assert "Nothing is going on" in (await bench.client.get("/")).text
    await bench.tell([(0, opened())])
    front = (await bench.client.get("/")).text
    assert "Nobody has answered yet" in front
    assert f'href="/incidents/{INCIDENT}"' in front
    assert '<noscript><meta http-equiv="refresh"' in front
    page = (await bench.client.get(f"/incidents/{INCIDENT}")).text
    assert "Opened as P1: Checkout is failing" in page
    assert 'aria-label="detect 2.4 s, respond 1 min, mitigate -, monitor -"' in page


async def test_a_typed_id_leads_to_its_page(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    for path in ("/incidents?id=k3vq", "/incidents/k3vq", "/incidents/K3VQ7D2M5XAB"):
        answer = await bench.client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{INCIDENT}")
    assert (await bench.client.get("/incidents")).headers["location"] == "/"
    await bench.tell([(0, opened())], OTHERS[0])
    both = await bench.client.get("/incidents?id=k3vq")
    assert both.status_code == 409
    assert f'href="/incidents/{OTHERS[0]}"' in both.text


async def test_a_long_timeline_is_shown_in_pieces_the_latest_first(bench: Bench) -> None:
    notes = [(float(number), said.NoteAdded(text=f"note {number}", by=ADA)) for number in range(1, 1200)]
    await bench.tell([(0, opened()), *notes])
    latest = (await bench.client.get(f"/incidents/{INCIDENT}")).text
    assert "note 1199" in latest
    assert "note 699<" not in latest
    assert 'href="?after=200" rel="prev"' in latest
    earlier = (await bench.client.get(f"/incidents/{INCIDENT}?after=200")).text
    assert "note 200<" in earlier
    assert 'href="?after=700" rel="next"' in earlier
    assert 'href="?after=0" rel="prev"' in earlier
    first = (await bench.client.get(f"/incidents/{INCIDENT}?after=0")).text
    assert "First bad sample" in first
    assert (await bench.client.get(f"/incidents/{INCIDENT}?after=x")).status_code == 400


async def test_an_incident_that_is_a_part_of_another_stands_below_it_and_leads_there(bench: Bench) -> None:
    linked = said.IncidentLinked(other=OTHER, relation="absorbed", by=ADA)
    await bench.tell([(0, opened(title="Payments are down")), (1, linked)], INCIDENT)
    merged = said.IncidentMuted(why="merge", name="Payments are down", explained_by=INCIDENT, because="one cause")
    await bench.tell([(0, opened(title="Checkout is failing")), (1, merged)], OTHER)
    await bench.tell([(0, opened())], OTHERS[0])
    front = (await bench.client.get("/")).text
    assert "1 other in it" in front
    assert front.index(f'<li>\n    <a class="incident" href="/incidents/{INCIDENT}"') < front.index(
        f'<li class="part">\n    <a class="incident" href="/incidents/{OTHER}"'
    )
    part = (await bench.client.get(f"/incidents/{OTHER}")).text
    assert f'<a href="/incidents/{INCIDENT}">Payments are down <code>{INCIDENT}</code></a>' in part
    whole = (await bench.client.get(f"/incidents/{INCIDENT}")).text
    assert f'<a href="/incidents/{OTHER}"><code>{OTHER}</code></a>' in whole
    assert "merged into this" in whole
    assert (await bench.get(f"/api/v1/incidents/{OTHER}"))["part_of"] == INCIDENT
    assert (await bench.get("/api/v1/incidents"))["incidents"][1]["part_of"] == INCIDENT


async def test_a_part_whose_whole_is_on_another_page_of_the_list_says_where_it_belongs(bench: Bench) -> None:
    merged = said.IncidentMuted(why="correlation", name="Payments are down", explained_by=INCIDENT)
    await bench.tell([(0, opened()), (1, merged)], OTHER)
    assert f"part of <code>{INCIDENT}</code>" in (await bench.client.get("/")).text


async def test_two_that_are_each_a_part_of_the_other_are_both_listed(bench: Bench) -> None:
    for one, other in ((INCIDENT, OTHER), (OTHER, INCIDENT)):
        await bench.tell([(0, opened()), (1, said.IncidentMuted(why="merge", name="x", explained_by=other))], one)
    front = (await bench.client.get("/")).text
    assert all(front.count(f'href="/incidents/{name}"') == 1 for name in (INCIDENT, OTHER))
    await bench.tell([(2, said.IncidentMuted(why="merge", name="itself", explained_by=OTHER))], OTHER)
    assert (await bench.client.get("/")).text.count(f'href="/incidents/{OTHER}"') == 1


async def test_a_silenced_incident_says_that_nobody_is_told_of_it(bench: Bench) -> None:
    await bench.tell([(0, opened()), (1, said.IncidentMuted(why="silence", name="upgrade"))])
    assert "Silenced: upgrade" in (await bench.client.get("/")).text
    assert "Nobody is told of it for now." in (await bench.client.get(f"/incidents/{INCIDENT}")).text


async def test_the_page_says_who_does_what_what_is_known_and_how_it_stands(bench: Bench) -> None:
    await bench.tell([
        (0, opened()),
        (0, grouped()),
        (1, paged("p1", "ada", each=True)),
        (1, paged("p2", "bob", each=True)),
        (2, said.RoleAssigned(role=Role.COMMANDER, person="ada", by=ADA)),
        (3, said.ResponderAnswered(person="ada", waiting_for=("bob",), by=ADA)),
        (4, said.ResponderDeclined(person="eve", by=ADA)),
        (5, said.ImpactStated(impact=Impact(users_affected=0.31, workaround=False), by=ADA)),
        (6, said.OriginSuspected(service="payments", because="both need it")),
        (7, said.WarRoomRequested(channel="slack", name="#incident-20260301-1200")),
        (8, said.StatusUpdated(text="<b>We</b> switch.", by=ADA)),
    ])  # fmt: skip
    page = " ".join((await bench.client.get(f"/incidents/{INCIDENT}")).text.split())
    for shown in (
        "Waiting for bob",
        '<span class="item">ada</span> <span class="tag plain">incident commander</span>',
        '<span class="item">bob</span> <span class="tag warn">must answer</span>',
        '<span class="item">eve</span> <span class="tag plain">cannot take it</span>',
        '<span class="item">Users affected</span> <span class="tag bad">31%</span>',
        '<span class="item">Workaround</span> <span class="tag bad">no</span>',
        "payments: both need it",
        "#incident-20260301-1200 (slack)",
        "<blockquote>&lt;b&gt;We&lt;/b&gt; switch.</blockquote>",
    ):
        assert shown in page, shown
    found = await bench.get(f"/api/v1/incidents/{INCIDENT}")
    assert (found["impact"]["users_affected"], found["impact"]["data_loss"]) == (0.31, None)
    assert (found["waiting_for"], found["roles"]) == (["bob"], {"incident_commander": "ada"})


async def test_older_incidents_are_a_page_away(bench: Bench) -> None:
    for number in range(35):
        await bench.tell([(0, opened()), (1, said.IncidentResolved(by=ADA))], f"old{number:09}")
    front = (await bench.client.get("/")).text
    assert "old000000034" in front
    assert "old000000001" not in front
    link = front.split('href="/?cursor=')[1].split('"')[0]
    older = (await bench.client.get(f"/?cursor={link}")).text
    assert "old000000001" in older
    assert (await bench.client.get("/?severity=P1")).text.count('class="incident"') == 30
    assert (await bench.client.get("/?severity=P0")).text.count('class="incident"') == 0


async def test_files_are_served_and_nothing_but_files(bench: Bench) -> None:
    for name, kind in (("console.css", "text/css"), ("live.js", "text/javascript"), ("bell.svg", "image/svg+xml")):
        answer = await bench.client.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    assert (await bench.client.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"
    for path in ("/static/..%2fsettings.py", "/static/settings.py", "/..%2f..%2fetc%2fpasswd"):
        assert (await bench.client.get(path)).status_code == 404
    assert (await bench.client.post("/api/v1/incidents")).status_code == 405


# --- live ------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def watching(bench: Bench, incident: str | None, seen: int = 0) -> AsyncIterator[Any]:
    """The stream's events, one after the other (httpx's in-process transport waits for the end of an answer)."""
    events = Api(Queries(bench.database), bench.live, SystemClock())._events(incident, seen)
    assert await anext(events) == b"retry: 1000\n\n"
    try:
        yield events
    finally:
        await events.aclose()


async def told(events: Any) -> dict[str, str]:
    text = (await asyncio.wait_for(anext(events), 10)).decode()
    return dict(line.split(": ", 1) for line in text.strip().splitlines())


async def test_a_watcher_is_told_what_is_there_and_then_what_comes(bench: Bench) -> None:
    story = a_whole_incident()
    await bench.tell(story[:2])
    async with watching(bench, INCIDENT) as events:
        assert [(await told(events))["id"] for _ in range(2)] == ["1", "2"]
        await bench.tell(story[2:5])
        assert [(await told(events))["id"] for _ in range(3)] == ["3", "4", "5"]
        await bench.tell(story[5:6], OTHERS[0])
        await bench.tell(story[6:7])
        last = await told(events)
    assert (last["event"], last["id"]) == ("entry", "6")
    assert json.loads(last["data"])["sentence"] == "Runbook checkout-failing begins"


async def test_a_watcher_that_comes_again_misses_nothing(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    async with watching(bench, INCIDENT, seen=24) as events:
        assert [(await told(events))["id"] for _ in range(2)] == ["25", "26"]


async def test_who_watches_all_is_told_which_have_changed(bench: Bench) -> None:
    async with watching(bench, None) as events:
        await bench.tell([(0, opened())], OTHERS[0])
        await bench.tell([(0, opened())], OTHERS[1])
        news = await told(events)
    assert (news["event"], json.loads(news["data"])) == ("changed", {"incidents": sorted(OTHERS)})


async def test_what_changes_faster_than_is_read_falls_together_and_stays_bounded(bench: Bench) -> None:
    watcher = bench.live.join(None)
    for number in range(10_000):
        bench.live.publish([f"incident-{number}"])
    assert len(await watcher.changed(1)) == 200
    assert await watcher.changed(0.01) == set()


async def test_no_more_watch_than_may_and_who_leaves_makes_room(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    async with watching(bench, INCIDENT), watching(bench, None):
        assert "watch live already" in await bench.refused("/api/v1/stream", 503)
    assert not bench.live.is_full


async def test_watching_ends_when_the_service_stops(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    async with watching(bench, None) as events:
        bench.live.close()
        async with asyncio.timeout(10):
            assert [event async for event in events] == []
    assert bench.live.join(None).ended


async def test_watching_ends_when_the_database_does_not_answer(bench: Bench) -> None:
    await bench.tell(a_whole_incident())
    async with watching(bench, INCIDENT) as events:
        await bench.database.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(events), 10)
    assert not bench.live.is_full


async def test_a_stream_of_an_incident_that_is_not_there_is_refused(bench: Bench) -> None:
    assert "no incident" in await bench.refused("/api/v1/stream", 404, incident="nobody")
