"""Who is signed in to the console: as long as their token counts, on every replica, and nobody who only says so."""

import base64
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recorder_doors import ADA, EVE, Clock
from starlette.requests import Request
from starlette.responses import Response

from tocsin_recorder.adapters.sessions import Said, Session, Sessions, is_from_here
from tocsin_runtime.tokens import Tokens, hash_of, new_token, token_line


def request(scheme: str = "http", **headers: str) -> Request:
    listed = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "scheme": scheme, "server": ("recorder", 80), "path": "/", "headers": listed})


class People:
    """A file of tokens, and a replica that reads it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "tokens", Clock()
        self.give(ada=ADA, eve=EVE)
        self.sessions = self.replica()

    def give(self, **owners: str) -> None:
        self.path.write_text("\n".join(token_line(name, hash_of(token)) for name, token in owners.items()))

    def replica(self) -> Sessions:
        return Sessions(Tokens(self.path), self.clock)

    def signed_in(self, token: str = ADA, asked: Request | None = None) -> str:
        """The cookie that a browser gets, as it stands in the answer's header."""
        answer = Response()
        assert self.sessions.sign_in(asked or request(), answer, token)
        return answer.headers["set-cookie"]


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path)


def value_of(set_cookie: str) -> str:
    return SimpleCookie(set_cookie)["tocsin_session"].value


def carrying(set_cookie: str) -> Request:
    return request(cookie=f"tocsin_session={value_of(set_cookie)}")


def test_who_signed_in_is_known_on_every_replica(people: People) -> None:
    carried = carrying(people.signed_in())
    for replica in (people.sessions, people.replica()):
        session = replica.of(carried)
        assert session is not None
        assert session.person == "ada"


def test_the_cookie_is_for_the_browser_alone_and_no_token(people: People) -> None:
    cookie = people.signed_in()
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert ADA not in cookie
    assert hash_of(ADA) not in cookie


@pytest.mark.parametrize("asked", [request("https"), request(x_forwarded_proto="https")])
def test_over_an_encrypted_connection_it_comes_back_over_one_only(people: People, asked: Request) -> None:
    assert "Secure" in people.signed_in(asked=asked).split("; ")


def test_a_session_ends_with_its_token(people: People) -> None:
    carried = carrying(people.signed_in())
    people.give(eve=EVE)
    assert people.sessions.of(carried) is None
    people.give(ada=new_token())
    assert people.sessions.of(carried) is None
    people.give(bob=ADA)
    assert people.sessions.of(carried) is None, "the token is another person's now"


def test_a_session_ends_after_twelve_hours(people: People) -> None:
    carried = carrying(people.signed_in())
    people.clock.pass_by(hours=11, minutes=59)
    assert people.sessions.of(carried) is not None
    people.clock.pass_by(minutes=2)
    assert people.sessions.of(carried) is None


def test_who_signs_out_has_no_cookie_any_more(people: People) -> None:
    answer = Response()
    people.sessions.sign_out(request(), answer)
    assert {'tocsin_session=""', "Max-Age=0"} <= set(answer.headers["set-cookie"].split("; "))


@pytest.mark.parametrize("token", ["", f"tcs_{'n' * 43}", ADA[:-1]])
def test_a_token_that_is_nobodys_signs_nobody_in(people: People, token: str) -> None:
    answer = Response()
    assert not people.sessions.sign_in(request(), answer, token)
    assert "set-cookie" not in answer.headers


def test_nobody_becomes_another_by_changing_the_cookie(people: People) -> None:
    name, until, mac = value_of(people.signed_in()).split("|")
    eve = base64.urlsafe_b64encode(b"eve").decode()
    changed = [
        (eve, until, mac), (name, str(int(until) + 1), mac), (name, until, mac[:-1] + ("0" if mac[-1] != "0" else "1")),
        (name, until, mac.upper()), (name, until, ""), ("", until, mac), (name, "0" * 10, mac), ("x", until, mac),
        ("_" * 700, until, mac), (name + "A", until, mac),
    ]  # fmt: skip
    for parts in changed:
        assert people.sessions.of(request(cookie=f"tocsin_session={'|'.join(parts)}")) is None


@given(st.text(st.characters(max_codepoint=255, blacklist_characters=";"), max_size=300))
def test_whatever_stands_in_the_cookie_is_no_session(text: str) -> None:
    assert Sessions(Tokens(None), Clock()).of(request(cookie=f"tocsin_session={text}")) is None


# --- forms and what is said -------------------------------------------------------------------------------------------

ONE, OTHER = Session("ada", b"one"), Session("ada", b"other")


def test_a_form_is_of_one_session(people: People) -> None:
    assert ONE.owns(ONE.form)
    for form in (OTHER.form, "", ONE.form[:-1], "ä"):
        assert not ONE.owns(form)
    first, second = (people.sessions.of(carrying(people.signed_in(token))) for token in (ADA, EVE))
    assert first is not None
    assert second is not None
    assert first.form != second.form


@given(st.text(max_size=400))
def test_what_was_said_is_read_by_whom_it_was_said_to_and_not_for_long(text: str) -> None:
    said, clock = Said("good", text), Clock()
    sealed = ONE.seal(said, clock.now())
    assert ONE.unseal(sealed, clock.now()) == said
    assert OTHER.unseal(sealed, clock.now()) is None
    clock.pass_by(minutes=2)
    assert ONE.unseal(sealed, clock.now()) is None


@given(st.text(max_size=200))
@example("x")  # no base64
@example("ä")
def test_what_others_have_put_into_an_address_is_not_said(text: str) -> None:
    assert ONE.unseal(text, Clock().now()) is None


@pytest.mark.parametrize("letter", ["x", "я", "😀", '"', "\\"])
def test_what_is_too_long_to_be_said_whole_is_said_in_part(letter: str) -> None:
    now = Clock().now()
    said = ONE.unseal(ONE.seal(Said("warn", letter * 1024), now), now)
    assert said is not None
    assert said.text == letter * 599 + "…"


def test_what_was_said_cannot_be_changed() -> None:
    now = Clock().now()
    body, mac = ONE.seal(Said("good", "done"), now).split(".")
    other = ONE.seal(Said("good", "not done"), now).split(".")[0]
    for sealed in (f"{other}.{mac}", f"{body}.", body, f"{body}.{ONE.form}", f"{body}.{mac}" + "x" * 5000):
        assert ONE.unseal(sealed, now) is None


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "http://recorder:7300"}, False),
        ({"sec_fetch_site": "same-origin", "origin": "https://console.example"}, True),
        ({"origin": "http://recorder:7300"}, True),
        ({"origin": "https://recorder:7300"}, True),
        ({"origin": "http://recorder"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://recorder:7300.evil.example"}, False),
        ({"origin": "http://recorder:7300@evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
    ],
)
def test_a_form_comes_from_our_own_page_as_far_as_the_browser_says(headers: dict[str, str], is_ours: bool) -> None:
    assert is_from_here(request(host="recorder:7300", **headers)) is is_ours
