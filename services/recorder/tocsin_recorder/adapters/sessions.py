"""Who is signed in to the console: a cookie that every replica can check, and that ends with the access token.

It is `name|expiry|HMAC`, keyed with the stored hash of the token it was given for. Whoever revokes the token ends it;
nothing is kept about it anywhere.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from tocsin_runtime import Clock
from tocsin_runtime.tokens import Tokens, hash_of

__all__ = ["Said", "Session", "Sessions", "is_from_here"]

_COOKIE = "tocsin_session"
_LASTS = timedelta(hours=12)
_SAID_LASTS = timedelta(minutes=2)
_FORMAT = re.compile(r"([A-Za-z0-9_-]{1,700})\|([0-9]{10,11})\|([0-9a-f]{64})")
_LONGEST_SAID = 4096
_LONGEST_TEXT = 600
"""Characters that are carried, whatever they are: four bytes each at most, and a third more in the address."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line about what came of something, with its tone (a class of `console.css`)."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `form` stands hidden in each of their forms: a page of a stranger cannot know it."""

    person: str
    key: bytes

    @property
    def form(self) -> str:
        return _mac(self.key, "form")

    def owns(self, form: str) -> bool:
        """Whether this stood in a form of theirs."""
        return hmac.compare_digest(self.form.encode(), form.encode())

    def seal(self, said: Said, now: datetime) -> str:
        """What came of something, to be carried in an address: only to be read by them, and not for long."""
        until, text = int((now + _SAID_LASTS).timestamp()), said.text
        if len(text) > _LONGEST_TEXT:
            text = text[: _LONGEST_TEXT - 1] + "…"
        body = json.dumps([until, said.tone, text], ensure_ascii=False).encode()
        return f"{_base64(body)}.{_mac(self.key, 'said', body)}"

    def unseal(self, sealed: str, now: datetime) -> Said | None:
        """None where it is not from us, not for them, or has been long enough."""
        if len(sealed) > _LONGEST_SAID or not sealed.isascii():
            return None
        text, _, mac = sealed.partition(".")
        body = _unbase64(text)
        if body is None or not hmac.compare_digest(_mac(self.key, "said", body), mac):
            return None
        until, tone, said = json.loads(body)
        return Said(tone, said) if now.timestamp() < until else None


class Sessions:
    """Signs people in and out, and recognises them."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock

    def of(self, request: Request) -> Session | None:
        """Who asks, if they are signed in."""
        found = _FORMAT.fullmatch(request.cookies.get(_COOKIE, ""))
        if found is None:
            return None
        until, now = int(found[2]), self._clock.now().timestamp()
        name = (_unbase64(found[1]) or b"").decode(errors="replace")
        if not now < until <= now + _LASTS.total_seconds() + 1:
            return None
        for known in self._tokens.hashes(name):
            if hmac.compare_digest(_sealed(known, name, until), found[3]):
                return Session(name, hashlib.sha256(found[0].encode()).digest())
        return None

    def sign_in(self, request: Request, response: Response, token: str) -> bool:
        """Give `response` the cookie. False, and no cookie, where the token is nobody's."""
        name = self._tokens.who(token)
        if name is None:
            return False
        until = int((self._clock.now() + _LASTS).timestamp())
        cookie = f"{_base64(name.encode())}|{until}|{_sealed(hash_of(token), name, until)}"
        self._set(request, response, cookie, int(_LASTS.total_seconds()))
        return True

    def sign_out(self, request: Request, response: Response) -> None:
        """Let `response` take the cookie away."""
        self._set(request, response, "", 0)

    def _set(self, request: Request, response: Response, cookie: str, seconds: int) -> None:
        response.set_cookie(
            _COOKIE, cookie, max_age=seconds, path="/", httponly=True, samesite="strict", secure=_is_encrypted(request)
        )


def is_from_here(request: Request) -> bool:
    """Whether one of our own pages sends this, as far as the browser says where it comes from."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def _is_encrypted(request: Request) -> bool:
    """Also where a proxy in front of us is what people come to. Who lies about it hurts only themselves."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").strip().lower())


def _sealed(digest: str, name: str, until: int) -> str:
    return _mac(bytes.fromhex(digest), "session", f"{until} {name}".encode())


def _mac(key: bytes, purpose: str, body: bytes = b"") -> str:
    return hmac.new(key, f"tocsin console {purpose}\0".encode() + body, hashlib.sha256).hexdigest()


def _base64(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None
