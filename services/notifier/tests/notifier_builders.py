"""Facts for tests of the notifier: a playbook, an incident's log, and events by one call each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from tocsin_notifier.core.fold import evolve
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.plan import Notification, notifications_for
from tocsin_notifier.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import Playbook, load
from tocsin_schemas import Actor, Envelope, Event, GroupedAlert, Labels, PlaybookRef
from tocsin_schemas.events import AlertGrouped, IncidentAcknowledged, IncidentOpened, IncidentResolved, ResponderPaged
from tocsin_schemas.ids import derive_id

NOW = datetime(2026, 3, 1, 3, 12, 4, tzinfo=UTC)
ADA = Actor.person("ada", "cli")
INCIDENT = "4h2kq7xmpw3a"
MINUTE = timedelta(minutes=1)

PLAYBOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata:
  name: storefront
  links: {Dashboard: "https://grafana.shop.example/d/checkout"}
severities:
  - {name: P0, description: Nobody can buy anything, update_every: 30m, automation: automatic}
  - {name: P1, description: Many customers cannot buy}
  - {name: P3, description: Worth a ticket}
oncall:
  people:
    - name: ada
      full_name: Ada L.
      time_zone: Europe/Zurich
      contacts:
        - {channel: slack, address: "#incidents"}
        - {channel: email, address: ada@shop.example}
%(ada)s
    - name: grace
      contacts: [{channel: email, address: grace@shop.example}]
  teams:
    - {name: shop, members: [ada, grace]}
%(oncall)s
remediate:
  runbooks:
    - name: checkout-failing
      when: "incident.labels.service == 'checkout'"
      steps:
        - name: clear-cache
          does: Empty the shop's cache
          http: {url: "http://127.0.0.1:9/clear"}
          verify: {http: {url: "http://127.0.0.1:9/health"}, within: 3s}
          on_failure: restart
        - name: restart
          does: Restart the shop
          http: {url: "http://127.0.0.1:9/restart"}
communicate:
  channels:
    - name: slack
      slack: {url: "%(slack)s", token: {env: TOCSIN_TEST_SLACK}}
    - name: email
      smtp: {host: 127.0.0.1, port: %(smtp)d, from: tocsin@shop.example}
%(channels)s
  announce:
    - severities: [P0, P1]
      to: ["slack:#incidents"]
      on: [opened, severity_changed, acknowledged, escalated, deadline_missed, action, update, monitoring, resolved,
           reopened, closed]
%(communicate)s
"""


def playbook_text(
    *,
    slack: str = "http://127.0.0.1:9/api/",
    smtp: int = 9,
    channels: str = "",
    communicate: str = "",
    ada: str = "",
    oncall: str = "",
) -> str:
    """The playbook's text; `channels`, `communicate`, `oncall` and `ada` (her other contacts, her rules) are lines of
    YAML."""
    return PLAYBOOK % {
        "slack": slack, "smtp": smtp, "channels": channels, "communicate": communicate, "ada": ada, "oncall": oncall,
    }  # fmt: skip


def playbook(**given: object) -> Playbook:
    return load(playbook_text(**given)).playbook  # type: ignore[arg-type]  # passed through


def rulebook(made: Playbook | None = None) -> Rulebook:
    return make_rulebook(REF, made or playbook(), ("slack", "smtp", "webhook", "console"))


REF = PlaybookRef(name="storefront", revision="0123456789ab")


class Log:
    """An incident's log in the making; `incident` is what it folds to."""

    def __init__(self, *events: Event, at: datetime = NOW) -> None:
        self.at = at
        self.events: list[Envelope[Event]] = []
        self.incident = Incident(INCIDENT)
        self._numbers = count(1)
        for event in events:
            self.add(event)

    def add(self, event: Event, *, after: timedelta = timedelta()) -> Envelope[Event]:
        """State this; the answer is the event as it stands in the log."""
        self.at += after
        number = next(self._numbers)
        service = type(event).OWNER
        envelope: Envelope[Event] = Envelope(
            id=derive_id("test", number), source=f"tocsin/{service}", time=self.at, data=event, incident=INCIDENT,
            cause=derive_id("cause", number), sequence=number,
        )  # fmt: skip
        self.events.append(envelope)
        self.incident = evolve(self.incident, envelope)
        return envelope

    def told(self, event: Envelope[Event], book: Rulebook | None = None) -> tuple[Notification, ...]:
        """Who is told of the event."""
        return notifications_for(self.incident, event, book or rulebook())


def opened(severity: str = "P0", summary: str = "31 % of checkouts fail", **given: object) -> IncidentOpened:
    values: dict[str, object] = {
        "group_key": "g", "episode": 0, "title": "CheckoutErrors (checkout)", "summary": summary,
        "severity": severity, "labels": Labels({"service": "checkout"}), "playbook": REF,
        "started_at": NOW - timedelta(seconds=20),
    }  # fmt: skip
    return IncidentOpened.model_validate(values | given)


def grouped(rule: str = "CheckoutErrors", fingerprint: str = "0123456789abcdef") -> AlertGrouped:
    alert = GroupedAlert(
        fingerprint=fingerprint, episode="e1", rule=rule, labels=Labels({"service": "checkout"}),
        summary="31 % of checkouts fail", starts_at=NOW - timedelta(seconds=20),
    )  # fmt: skip
    return AlertGrouped(alert=alert)


def paged(target: str = "person:ada", reason: str = "opened", level: int = 0, **given: object) -> ResponderPaged:
    values: dict[str, object] = {
        "page": derive_id("page", target, level), "target": target, "level": level, "severity": "P0", "reason": reason
    }  # fmt: skip
    return ResponderPaged.model_validate(values | given)


def acknowledged() -> IncidentAcknowledged:
    return IncidentAcknowledged(by=ADA)


def resolved(notes: str = "") -> IncidentResolved:
    return IncidentResolved(by=Actor.system("escalator"), notes=notes)


def kinds(told: Sequence[Notification]) -> list[tuple[str, str]]:
    """What is told to whom."""
    return [(each.kind, each.recipient.key) for each in told]


NASTY = [
    "<!channel> <!here> <!everyone>",
    "<@U123> <#C123> <!subteam^S1>",
    "<https://evil.example|your bank>",
    "https://evil.example/login",
    "*bold* _it_ ~no~ `code` ```block",
    "&lt;!channel&gt; &amp;lt;!channel&amp;gt;",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "a\r\nBcc: everyone@shop.example\r\n\r\nhello",
    "line\nbreak\rand\x0bmore\x0c",
    ".",
    "x" * 998 + "y" * 998,
    "a" * 40_001,
    "&" * 5000,
    "\u202eevil\u2066\u2069\u200b\ufeff\x00\x1b[2J\x1b]8;;http://evil\x07",
    "e" + "\u0301" * 10_000,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u05e9\u05dc\u05d5\u05dd \u2028 \u2029",
    "\ud800 lone",
    "{{7*7}} {% for x in y %} ${jndi:ldap://x} %s%n {0.__class__} #{1}",
    ":rotating_light: @channel #general",
    "",
    "   ",
]
"""Text that somebody else wrote, as it may stand in an alert."""
