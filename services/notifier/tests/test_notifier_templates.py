"""A playbook's own texts: what they may say, and that none can do harm."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notifier_builders import ADA, MINUTE, Log, acknowledged, grouped, opened, paged, playbook, resolved, rulebook

from tocsin_notifier.adapters.templates import MAX_TEXT, TemplateProblemError, render_template
from tocsin_notifier.adapters.writer import Writer
from tocsin_notifier.core.scene import Scene
from tocsin_notifier.core.template_facts import template_facts
from tocsin_runtime import SystemClock
from tocsin_schemas import Event
from tocsin_schemas.events import DeadlineSet, NoteAdded, NotificationDelivered, RoleAssigned, VerificationPassed

STEP = {"action": "a1", "runbook": "checkout-failing", "step": "clear-cache"}


def facts(*events: Event) -> dict[str, object]:
    """What a template of the last event's message may speak of."""
    log = Log(opened(), grouped(), acknowledged(), RoleAssigned(role="incident_commander", person="ada", by=ADA))
    log.add(NotificationDelivered(notification="n", channel="slack", recipient="#incidents", reference="1.1"))
    log.add(VerificationPassed(**STEP))
    log.add(NoteAdded(text="The cache was full.", by=ADA))
    log.add(DeadlineSet(deadline="u", kind="update", due_at=log.at + 30 * MINUTE))
    event = log.add(paged())
    for each in events:
        event = log.add(each, after=12 * MINUTE)
    book = rulebook()
    return template_facts(Scene(log.incident, log.told(event, book)[0], book.playbook, log.at))


def test_the_announcement_that_teams_have_in_their_runbooks_can_be_written() -> None:
    text = """:rotating_light: INCIDENT: {{ incident.title }}
Severity: {{ incident.severity }}
Status: {{ incident.status | capitalize }}
Impact: {{ incident.impact }}
IC: {{ incident.commander or 'nobody yet' }}
Thread: {{ incident.thread }}
Next update: {{ incident.next_update }}"""
    assert render_template(text, facts()) == (
        ":rotating_light: INCIDENT: CheckoutErrors (checkout)\nSeverity: P0\nStatus: Mitigating\n"
        "Impact: Nobody can buy anything\nIC: Ada L.\nThread: #incidents\nNext update: 04:42 CET"
    )


def test_the_update_that_teams_have_in_their_runbooks_can_be_written() -> None:
    text = """UPDATE: {{ incident.title }}
Progress: {% for action in incident.actions %}{{ action }}{% if not loop.last %}; {% endif %}{% endfor +%}
Next: {{ incident.notes | length and (incident.notes | last).text }}"""
    assert render_template(text, facts()) == (
        "UPDATE: CheckoutErrors (checkout)\nProgress: Helped: Empty the shop's cache\nNext: The cache was full."
    )


def test_the_resolution_that_teams_have_in_their_runbooks_can_be_written() -> None:
    text = """:white_check_mark: RESOLVED: {{ incident.title }}
Duration: {{ incident.started }} - {{ incident.ended }} ({{ incident.duration }})
Root cause: {{ incident.resolution | default('not known yet', true) }}
{% for name, value in incident.labels | items %}{{ name }}={{ value }}{% endfor %}"""
    assert render_template(text, facts(resolved("A full disk."))) == (
        ":white_check_mark: RESOLVED: CheckoutErrors (checkout)\nDuration: 03:11 UTC - 03:24 UTC (12 min)\n"
        "Root cause: A full disk.\nservice=checkout"
    )


def test_text_of_others_is_not_read_as_a_template() -> None:
    assert render_template("{{ incident.id }}", {"incident": {"id": "{{7*7}} {% for x in y %}"}}) == (
        "{{7*7}} {% for x in y %}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ incident.nonsense }}",
        "{{ nonsense }}",
        "{{ incident.title",
        "{% for a in incident.alerts %}",
        "{{ incident.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ range(10) }}",
        "{{ incident.title.upper() }}",
        "{{ lipsum() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ incident.title | replace('a', 'aaaa') }}",
        "{% set x = 'aa' %}{{ x }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% for a in incident.alerts recursive %}{{ loop(a) }}{% endfor %}",
        "{% for a in incident.alerts %}{% for b in incident.alerts %}x{% endfor %}{% endfor %}",
        "{% for c in incident.title %}{{ c }}{% endfor %}",
        "{% for n in [1, 2] %}{{ n }}{% endfor %}",
        "{% for n in 'abc' %}{{ n }}{% endfor %}",
        "{% for a in incident.alerts %}x{% endfor %}" * 17,
        "{{ incident.title | join(incident.title) }}",
        "{{ {{ . }} }}",
        "{{" * 5000,
        "(" * 2000,
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% if 1 %}" * 200 + "x" + "{% endif %}" * 200,
        "x" * 16_001,
        "   ",
        "{{ '' }}",
    ],
    ids=range(35),
)
def test_what_a_message_does_not_need_is_refused_or_harmless_and_quick(text: str) -> None:
    started = time.perf_counter()
    try:
        rendered = render_template(text, facts())
    except TemplateProblemError as problem:
        assert len(str(problem)) < 500  # noqa: PT017  # either of the two is right
    else:
        assert rendered == text.strip()  # it was not a template at all
    assert time.perf_counter() - started < 20


def test_what_is_too_long_is_cut() -> None:
    assert len(render_template("{{ incident.title }}" * 700, facts())) == MAX_TEXT


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["{{", "}}", "{%", "%}", "incident", ".", "title", "alerts", "|", "join", "(", ")", "for", "in", "if",
             "endif", "endfor", "a", " ", "'", "9", "*", "~", "[", "]", "loop", "\n", "upper", "items", "-", "="]
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_text_is_rendered_or_refused(pieces: list[str]) -> None:
    with suppress(TemplateProblemError):
        assert len(render_template("".join(pieces), facts())) <= MAX_TEXT


def write(template: str) -> tuple[str, tuple[str, ...]]:
    made = playbook(communicate=f"  templates: {{page: {template!r}}}")
    book = rulebook(made)
    log = Log(opened())
    (told,) = log.told(log.add(paged()), book)
    message = Writer(SystemClock()).write(log.incident, told, made)
    return message.headline, message.paragraphs


def test_a_page_is_worded_by_the_playbooks_template() -> None:
    assert write("Wake up: {{ incident.summary }}") == ("Wake up: 31 % of checkouts fail", ())


def test_a_template_that_fails_leaves_the_built_in_text() -> None:
    headline, paragraphs = write("{{ incident.no_such_thing }}")
    assert headline.startswith("P0: 31 % of checkouts fail")
    assert "this page is for you" in paragraphs[0]


def test_an_error_of_ours_in_wording_a_page_leaves_a_few_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tocsin_notifier.adapters.writer.render", broken)
    assert write("anything") == ("P0: 31 % of checkouts fail", ())
