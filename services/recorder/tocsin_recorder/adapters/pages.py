"""How a page is made: from its template, with every value escaped, and with the headers that keep it harmless.

Nothing is loaded from elsewhere and nothing inline is run: the content security policy allows our own style sheet,
our own script and our own images, and that is all. Characters that turn or move text are replaced.
"""

import hashlib
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin_recorder.adapters.harmless import SAFE_HEADERS, Problem
from tocsin_recorder.adapters.sessions import Session
from tocsin_schemas.text import MAX_TEXT, clean_text

__all__ = ["Pages", "see"]

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    **SAFE_HEADERS,
    "Content-Security-Policy": _POLICY,
    # Told to nobody else, but to us: without it a browser does not say that a form is from our own page.
    "Referrer-Policy": "same-origin",
}
STATIC = {"console.css": "text/css", "live.js": "text/javascript", "bell.svg": "image/svg+xml"}


class Pages:
    """The templates, and the files that stand beside them."""

    def __init__(self) -> None:
        self.static = {name: files("tocsin_recorder").joinpath("pages/static", name).read_bytes() for name in STATIC}
        version = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._templates = _environment(version)

    def page(
        self, template: str, session: Session | None, status: HTTPStatus = HTTPStatus.OK, **values: Any
    ) -> Response:
        """`Any`: what the template shows."""
        html = self._templates.get_template(template).render({"session": session, "knows_who": True, **values})
        return HTMLResponse(html, int(status), headers=_HEADERS)

    def problem(self, problem: Problem) -> Response:
        """A refusal as a page."""
        return self.page(
            "problem.html",
            None,
            problem.status,
            knows_who=False,
            problem=problem,
            candidates=problem.more.get("candidates", []),
        )


def see(path: str) -> Response:
    """Go there next, by GET."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=dict(SAFE_HEADERS))


def _environment(version: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin_recorder", "pages/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = version
    return environment


def _printable(value: Any) -> Any:
    """What a template prints (`Any`), without characters that turn or move text. Our own markup stays as it is."""
    return clean_text(value, 2 * MAX_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value
