"""What `docs/on-call.md` shows is a playbook, and means what the page says."""

import re
from datetime import datetime
from pathlib import Path

from tocsin_playbook import lint, load, on_call, steps_for

PAGE = (Path(__file__).parents[3] / "docs" / "on-call.md").read_text()
HEAD = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}]
communicate:
  channels:
    - {name: slack, slack: {token: {env: T}}}
    - {name: email, smtp: {host: 127.0.0.1, port: 25, from: a@example.com}}
    - {name: phone, console: {}}
escalate: [{severities: [P0, P1], levels: [{after: 0s, notify: ["schedule:primary"]}]}]
"""
TEXT = HEAD + "".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


def who(at: str) -> tuple[str, ...]:
    playbook = load(TEXT).playbook
    return on_call(playbook.schedule("primary"), datetime.fromisoformat(at), holidays=playbook.business_hours.holidays)


def test_the_example_is_a_playbook_without_a_hole() -> None:
    assert lint(TEXT, now=datetime.fromisoformat("2026-03-01T00:00:00+01:00")) == []


def test_the_office_is_in_grace_s_hands_but_for_overrides_and_holidays() -> None:
    assert who("2026-03-03T10:00:00+01:00") == ("grace",)
    assert who("2026-03-03T12:00:00+01:00") == ("ada",), "at the dentist"
    assert who("2026-12-18T10:00:00+01:00") == ("grace",)
    assert who("2026-12-25T10:00:00+01:00") == who("2026-12-25T20:00:00+01:00"), "a holiday"


def test_ada_is_told_as_her_rules_say() -> None:
    ada = load(TEXT).playbook.person("ada")
    assert [step.contact.called for step in steps_for(ada, "P0")] == ["slack", "email", "desk"]
    assert [step.contact.called for step in steps_for(ada, "P1")] == ["slack", "email"]
