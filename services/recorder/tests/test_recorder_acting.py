"""The console's forms: who is signed in acts by them, once a form, from our own page, and reads what came of it."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from recorder_builders import INCIDENT, a_whole_incident, opened
from recorder_doors import ADA, EVE, Doors, answered

from tocsin_recorder.adapters.database import Database
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.asking import Answer
from tocsin_runtime.tokens import new_token
from tocsin_schemas import Actor, Command
from tocsin_schemas import commands as asked
from tocsin_schemas import events as said

BY = Actor.person("ada", "console")
IT = {"incident": INCIDENT, "by": BY}
PAGE = f"/incidents/{INCIDENT}"


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timeline.db")
    await database.open()
    made = Doors(database, tmp_path)
    await made.tell((0, opened()))
    yield made
    await made.client.aclose()
    await database.close()


async def page(doors: Doors, path: str = PAGE, **headers: str) -> str:
    answer = await doors.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def signed_in(doors: Doors, token: str = ADA) -> None:
    answer = await doors.client.post("/sign-in", data={"token": token, "back": PAGE})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)


def hidden(html: str, slug: str) -> dict[str, str]:
    """What stands hidden in this form of a page."""
    (form,) = re.findall(rf'<form action="{PAGE}/{slug}" method="post">(.*?)</form>', html, re.DOTALL)
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}


async def press(doors: Doors, slug: str, **fields: str) -> httpx.Response:
    """As a person does: look at the page, and send its form."""
    return await doors.client.post(f"{PAGE}/{slug}", data={**hidden(await page(doors), slug), **fields})


async def told(doors: Doors, answer: httpx.Response) -> str:
    """What the page says that one is led to."""
    assert answer.status_code == 303, answer.text
    html = await page(doors, answer.headers["location"])
    (notice,) = re.findall(r'<p class="notice \w+" role="status">(.*?)</p>', html)
    return unescape(notice)


# --- in and out -------------------------------------------------------------------------------------------------------


async def test_who_is_not_signed_in_reads_and_is_led_to_the_door(doors: Doors) -> None:
    html = await page(doors)
    assert f'href="/sign-in?back={PAGE}"' in html
    assert 'id="doing"' not in html
    assert '<input id="token" name="token" type="password"' in await page(doors, f"/sign-in?back={PAGE}")


async def test_who_signs_in_is_named_on_every_page_and_can_sign_out(doors: Doors) -> None:
    await signed_in(doors)
    for path in ("/", PAGE, "/dead-letters"):
        assert "<span>ada</span>" in await page(doors, path)
    assert "signed in as <strong>ada</strong>" in await page(doors, "/sign-in")
    answer = await doors.client.post("/sign-out", data={"form": hidden(await page(doors), "acknowledge")["form"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "<span>ada</span>" not in await page(doors)


async def test_a_token_that_is_nobodys_is_refused_and_not_shown(doors: Doors) -> None:
    token = new_token()
    answer = await doors.client.post("/sign-in", data={"token": token})
    assert answer.status_code == 403
    assert "lets nobody in" in answer.text
    assert token not in answer.text
    assert not doors.client.cookies


@pytest.mark.parametrize(
    "back", ["https://evil.example", "//evil.example", "/\\evil", "/incidents/x?y", "javascript:x", ""]
)
async def test_the_way_back_leads_to_our_own_pages_only(doors: Doors, back: str) -> None:
    assert 'name="back" value="/"' in (await doors.client.get("/sign-in", params={"back": back})).text
    answer = await doors.client.post("/sign-in", data={"token": ADA, "back": back})
    assert answer.headers["location"] == "/"


async def test_a_link_from_elsewhere_is_followed_once_more_from_here_because_the_cookie_came_not_along(
    doors: Doors,
) -> None:
    again = f'<meta http-equiv="refresh" content="0; url={PAGE}">'
    assert again in await page(doors, **{"sec-fetch-site": "cross-site"})
    assert again not in await page(doors, **{"sec-fetch-site": "same-origin"})
    assert again not in await page(doors)
    await signed_in(doors)
    assert again not in await page(doors, **{"sec-fetch-site": "cross-site"})


# --- doing something --------------------------------------------------------------------------------------------------

FORMS: list[tuple[str, dict[str, str], Command]] = [
    ("acknowledge", {}, asked.Acknowledge(**IT)),
    ("take_over", {}, asked.TakeOver(**IT)),
    ("decline", {"because": "on a train "}, asked.Decline(**IT, because="on a train")),
    ("escalate", {"because": ""}, asked.Escalate(**IT)),
    ("set_severity", {"severity": "P0", "because": "all of it"},
     asked.SetSeverity(**IT, severity="P0", because="all of it")),
    ("update", {"text": "we\r\nlook", "status": "identified"},
     asked.Update(**IT, text="we\nlook", status="identified")),
    ("update", {"text": "we look", "status": ""}, asked.Update(**IT, text="we look")),
    ("add_note", {"text": "<b>ä</b>"}, asked.AddNote(**IT, text="<b>ä</b>")),
    ("resolve", {"notes": "the cable", "false_alarm": "yes"}, asked.Resolve(**IT, notes="the cable", false_alarm=True)),
    ("resolve", {"notes": ""}, asked.Resolve(**IT)),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "fields", "command"), FORMS)
async def test_a_form_asks_for_what_it_says_and_the_page_tells_what_happened(
    doors: Doors, slug: str, fields: dict[str, str], command: Command
) -> None:
    await signed_in(doors)
    assert await told(doors, await press(doors, slug, **fields)) == f"ada noted: done: {type(command).__name__}"
    assert doors.answering.last == command
    assert doors.reached == [100], "the page that follows has it"


async def test_what_is_over_can_be_reopened(doors: Doors) -> None:
    await doors.tell((5, said.IncidentResolved(by=BY)))
    await signed_in(doors)
    await press(doors, "reopen", because="again")
    assert doors.answering.last == asked.Reopen(**IT, because="again")
    assert f"{PAGE}/acknowledge" not in await page(doors)


async def test_what_is_closed_offers_nothing(doors: Doors) -> None:
    await doors.tell((5, said.IncidentResolved(by=BY)), (6, said.IncidentClosed()))
    await signed_in(doors)
    assert 'id="doing"' not in await page(doors)


async def test_the_most_telling_of_several_events_is_told(doors: Doors) -> None:
    await signed_in(doors)
    quiet, loud = said.IncidentClosed(), said.IncidentAcknowledged(by=BY)
    doors.answering.answer = lambda name, command: answered(name, quiet, loud)
    assert (await told(doors, await press(doors, "acknowledge"))).startswith("ada is on it")
    doors.answering.answer = lambda name, command: answered(name, quiet)
    assert await told(doors, await press(doors, "acknowledge"))


async def test_a_refusal_is_told_and_so_is_what_waits(doors: Doors) -> None:
    await signed_in(doors, EVE)
    doors.answering.answer = lambda name, command: Answer(name, refused="eve is a viewer; Resolve asks for a responder")
    told_so = await told(doors, await press(doors, "resolve"))
    assert told_so == "Not done: eve is a viewer; Resolve asks for a responder"
    doors.answering.answer = lambda name, command: Answer(name)
    assert "stays queued" in await told(doors, await press(doors, "resolve"))


async def test_what_is_wrong_in_a_field_is_told(doors: Doors) -> None:
    await signed_in(doors)
    assert "text: " in await told(doors, await press(doors, "add_note", text=" "))
    assert "because: " in await told(doors, await press(doors, "escalate", because="a\u202eb"))
    assert doors.answering.asked == []


async def test_a_timeline_that_is_behind_is_not_waited_for_for_long(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_recorder.adapters.acting._SHOWN_WITHIN", 0.0)
    await signed_in(doors)
    assert (await press(doors, "acknowledge")).status_code == 303


# --- once -------------------------------------------------------------------------------------------------------------


async def test_a_form_that_is_pressed_twice_is_one_command_and_one_that_was_changed_is_another(doors: Doors) -> None:
    await signed_in(doors)
    fields = {**hidden(await page(doors), "add_note"), "text": "a"}
    for text in ("a", "a", "b"):
        await doors.client.post(f"{PAGE}/add_note", data={**fields, "text": text})
    await press(doors, "add_note", text="a")
    assert [getattr(each, "text", "") for each in doors.answering.done.values()] == ["a", "b", "a"]
    assert len(doors.answering.asked) == 4


async def test_while_nats_is_away_the_form_can_be_sent_again_and_is_done_once(doors: Doors) -> None:
    await signed_in(doors)
    fields = hidden(await page(doors), "acknowledge")
    doors.answering.failure = BusUnavailableError("away")
    answer = await doors.client.post(f"{PAGE}/acknowledge", data=fields)
    assert answer.status_code == 503
    assert "done once" in answer.text
    doors.answering.failure = None
    assert (await doors.client.post(f"{PAGE}/acknowledge", data=fields)).status_code == 303
    (first, second) = (cause for _, cause in doors.answering.asked)
    assert first == second


# --- who may not ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_a_page_of_somebody_else_does_nothing(doors: Doors, headers: dict[str, str]) -> None:
    await signed_in(doors)
    fields = hidden(await page(doors), "acknowledge")
    assert (await doors.client.post(f"{PAGE}/acknowledge", data=fields, headers=headers)).status_code == 403
    stranger = doors.browser()
    assert (await stranger.post("/sign-in", data={"token": ADA}, headers=headers)).status_code == 403
    assert (await doors.client.post("/sign-out", data=fields, headers=headers)).status_code == 403
    assert doors.answering.asked == []
    assert "<span>ada</span>" in await page(doors)


async def test_a_form_without_what_stands_hidden_in_it_does_nothing(doors: Doors) -> None:
    await signed_in(doors)
    fields = hidden(await page(doors), "acknowledge")
    await signed_in(doors, EVE)
    others = hidden(await page(doors), "acknowledge")
    await signed_in(doors)
    for changed in ({"cause": fields["cause"]}, {**fields, "form": ""}, {**fields, "form": others["form"]}):
        assert (await doors.client.post(f"{PAGE}/acknowledge", data=changed)).status_code == 403
    for cause in ("", "x", "A" * 32, "0" * 33):
        answer = await doors.client.post(f"{PAGE}/acknowledge", data={**fields, "cause": cause})
        assert answer.status_code == 400
    assert (await doors.client.post("/sign-out", data={"form": "x"})).status_code == 403
    assert doors.answering.asked == []


async def test_who_is_not_signed_in_any_more_does_nothing(doors: Doors) -> None:
    await signed_in(doors)
    fields = hidden(await page(doors), "acknowledge")
    doors.give(eve=EVE)
    answer = await doors.client.post(f"{PAGE}/acknowledge", data=fields)
    assert answer.status_code == 403
    assert "nothing was done" in answer.text
    assert doors.answering.asked == []


async def test_what_there_is_no_form_for_cannot_be_asked_for(doors: Doors) -> None:
    await signed_in(doors)
    fields = hidden(await page(doors), "acknowledge")
    for slug in ("merge", "run_action", "silence", "nothing"):
        assert (await doors.client.post(f"{PAGE}/{slug}", data=fields)).status_code == 404
    assert (await doors.client.post("/incidents/nobody/acknowledge", data=fields)).status_code == 404
    assert (await doors.client.get(f"{PAGE}/acknowledge")).status_code in (404, 405)
    assert doors.answering.asked == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"form=\xff", "application/x-www-form-urlencoded", 400),
        (b"form=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"form=1", "text/plain", 415),
    ],
)
async def test_what_is_no_form_is_refused(doors: Doors, body: bytes, kind: str, status: int) -> None:
    await signed_in(doors)
    answer = await doors.client.post(f"{PAGE}/acknowledge", content=body, headers={"content-type": kind})
    assert answer.status_code == status


# --- what is shown ----------------------------------------------------------------------------------------------------


async def test_what_happened_cannot_be_put_into_an_address_by_others(doors: Doors) -> None:
    await signed_in(doors)
    location = (await press(doors, "add_note", text="x")).headers["location"]
    (sealed,) = parse_qs(urlsplit(location).query)["said"]
    assert "noted" in await told(doors, httpx.Response(303, headers={"location": location}))
    for forged in ("You are hacked", sealed[:-1], sealed + "0"):
        answer = await doors.client.get(PAGE, params={"said": forged})
        assert answer.status_code == 200
        assert 'role="status"' not in answer.text
    doors.clock.pass_by(minutes=3)
    assert 'role="status"' not in await page(doors, location)


async def test_hostile_text_in_what_happened_is_only_text(doors: Doors) -> None:
    await signed_in(doors)
    note = said.NoteAdded(text="<script>alert(1)</script>", by=BY)
    doors.answering.answer = lambda name, command: answered(name, note)
    location = (await press(doors, "add_note", text="x")).headers["location"]
    html = await page(doors, location)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


async def test_the_severities_are_those_of_the_playbook_with_the_one_it_has(doors: Doors) -> None:
    await signed_in(doors)
    options = re.findall(r"<option( selected)?>(\w+)</option>", await page(doors))
    assert options == [("", "P0"), (" selected", "P1"), ("", "P2")]


async def test_pages_with_forms_are_as_strict_as_the_others(doors: Doors) -> None:
    await signed_in(doors)
    for path in ("/sign-in", PAGE):
        headers = (await doors.client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "form-action 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_a_page_that_loads_itself_again_does_not_where_somebody_may_be_typing(doors: Doors) -> None:
    again = '<noscript><meta http-equiv="refresh" content="10"></noscript>'
    assert again in await page(doors)
    await signed_in(doors)
    assert again not in await page(doors)


async def test_who_is_on_it_and_leads_is_offered_neither(doors: Doors) -> None:
    await doors.tell(*a_whole_incident()[15:17])
    await signed_in(doors)
    html = await page(doors)
    assert f"{PAGE}/acknowledge" not in html
    assert f"{PAGE}/take_over" not in html
    assert f"{PAGE}/resolve" in html
