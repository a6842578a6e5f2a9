"""The playbooks of simulations: small ones of one family, whose times and ways differ from seed to seed."""

from dataclasses import dataclass, replace
from random import Random

__all__ = ["Shape", "draw_answers", "draw_shape", "playbook_text"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs. Spans are seconds."""

    watch_for: int = 30
    reopen_within: int = 120
    level_after: int = 120
    rounds: int = 1
    restart_has_probe: bool = False
    approval_within: int = 120
    has_updates: bool = False
    announces: bool = False
    is_scraped: bool = False
    is_muted: bool = False
    is_led: bool = False
    each_answers: bool = False
    has_ways: bool = False
    has_roles: bool = False
    last_resort: bool = False
    warn_before: int = 0
    held_for: int = 0
    correlate_within: int = 0


def draw_shape(rng: Random) -> Shape:
    """One of the family."""
    return Shape(
        watch_for=rng.choice((15, 30, 60)),
        reopen_within=rng.choice((30, 120)),
        level_after=rng.choice((60, 120, 300)),
        rounds=rng.choice((0, 1)),
        restart_has_probe=rng.random() < 0.5,
        approval_within=rng.choice((60, 180)),
        has_updates=rng.random() < 0.2,
        announces=rng.random() < 0.25,
        is_scraped=rng.random() < 0.1,
        is_muted=rng.random() < 0.2,
    )


def draw_answers(rng: Random, shape: Shape) -> Shape:
    """The same with what concerns answers and relations: whose each, in which ways, for how long, and what is one."""
    return replace(
        shape,
        watch_for=rng.choice((15, 60, 240)),
        is_led=True,
        each_answers=rng.random() < 0.4,
        has_ways=rng.random() < 0.5,
        has_roles=rng.random() < 0.4,
        last_resort=rng.random() < 0.4,
        warn_before=rng.choice((0, 60, 150)),
        held_for=rng.choice((0, 0, 90, 300)),
        correlate_within=rng.choice((0, 0, 60, 600)),
    )


def playbook_text(shape: Shape) -> str:
    """The playbook. The first step's target honours no key; the second one's does, and is asked what it did."""
    probe = ', probe: {url: "http://127.0.0.1/done/{execution_id}"}'
    return (
        _TEXT.format(
            watch=shape.watch_for,
            reopen=shape.reopen_within,
            first=shape.level_after,
            second=3 * shape.level_after,
            rounds=shape.rounds,
            probe=probe,
            restart_probe=probe if shape.restart_has_probe else "",
            approval=shape.approval_within,
            updates=", update_every: 10m" if shape.has_updates else "",
            announce=_ANNOUNCE if shape.announces else "",
            detect=_SCRAPED if shape.is_scraped else "detect: {every: 10m}",
            wait="20s" if shape.is_muted else "0s",
            mutes=_MUTES if shape.is_muted else "",
            correlate=f", correlate_within: {shape.correlate_within}s" if shape.correlate_within else "",
            services=_SERVICES if shape.correlate_within else "",
            warn=f", warn_before: {shape.warn_before}s" if shape.warn_before else "",
            held=f", acknowledged_for: {shape.held_for}s" if shape.held_for else "",
            at_once='["team:all"], each: true' if shape.each_answers else '["person:ada"]',
            each=", each: true" if shape.each_answers else "",
            ada_may="\n      access: commander" if shape.is_led else "",
            ada_ways=_ADA_WAYS if shape.has_ways else "",
            grace_ways=_GRACE_WAYS if shape.has_ways else "",
            eve=_EVE if shape.last_resort else "",
            last_resort='\n    last_resort: ["person:eve"]' if shape.last_resort else "",
            roles=_ROLES if shape.has_roles else "",
            war_room=_WAR_ROOM if shape.has_roles else "",
        )
        .replace("«", "{")
        .replace("»", "}")
    )


_ANNOUNCE = """
  announce:
    - severities: [critical, major]
      to: ["channel:slack:#incidents"]
      on: [opened, severity_changed, acknowledged, escalated, monitoring, resolved]"""

_SCRAPED = """sources:
  - {name: shop, prometheus: {scrape: "http://127.0.0.1/metrics", every: 15s}}
detect:
  every: 15s
  rules:
    - name: Failures
      expr: failures
      labels: {service: shop}
      ladder: [{severity: critical, above: 50, for: 30s}, {severity: major, above: 10, for: 30s}]"""

_MUTES = """
silences:
  - {name: upgrade, match: ['service=~"api|mail"'], because: it is upgraded, until: "2026-01-05T09:12:00Z"}
  - {name: backup, match: ['service="login"'], because: it is backed up, every: {from: "09:05", to: "09:20"}}
inhibit:
  - name: the shop is the cause
    while: ['service="shop"', 'severity="critical"']
    mute: ['service=~"search|billing"']"""

_SERVICES = """
services:
  - {name: shop, depends_on: [api, billing]}
  - {name: api, depends_on: [login]}
  - {name: search, depends_on: [api]}
  - {name: billing, depends_on: [login]}
  - {name: login, depends_on: [shop]}
  - {name: mail}"""

_ADA_WAYS = """
      rules: [{contact: slack}, {contact: mail, after: 40s}, {contact: slack, after: 90s, severities: [critical]}]"""

_GRACE_WAYS = """
      rules: [{contact: mail}, {contact: slack, after: 30s}]"""

_EVE = """
    - {name: eve, contacts: [{channel: mail, address: eve@example.com}]}"""

_ROLES = """
  roles:
    - {name: incident commander, held_by: "person:ada", severities: [critical]}
    - {name: technical lead, held_by: "person:grace"}"""

_WAR_ROOM = """
  war_room: {channel: slack, name: "#incident-YYYYMMDD-NNN", severities: [critical], invite: ["team:all"]}"""

_TEXT = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: «name: simulated»
severities:
  - «name: critical, acknowledge_within: 3m, resolve_within: 20m, automation: automatic{updates}{warn}{held}»
  - «name: major, acknowledge_within: 5m, automation: approve{warn}{held}»
  - «name: minor, automation: "off"»
{detect}
group: «by: [service], reopen_within: {reopen}s, watch_for: {watch}s, wait: {wait}{correlate}»{mutes}{services}
oncall:
  people:
    - name: ada
      contacts: [«channel: slack, address: "#ada"», «channel: mail, address: ada@example.com»]{ada_may}{ada_ways}
    - name: grace
      contacts: [«channel: mail, address: grace@example.com», «channel: slack, address: "#grace"»]{grace_ways}{eve}
  teams:
    - «name: all, members: [ada, grace]»{roles}
escalate:
  - severities: [critical]
    levels:
      - «after: 0s, notify: {at_once}»
      - «after: {first}s, notify: ["person:grace"]»
      - «after: {second}s, notify: ["team:all"]{each}»
    repeat: {rounds}{last_resort}
  - severities: [major]
    levels:
      - «after: 0s, notify: ["person:grace"]»
      - «after: {first}s, notify: ["person:ada"]»
  - severities: [minor]
    levels:
      - «after: 0s, notify: ["channel:slack:#minor"]»
remediate:
  runbooks:
    - name: mend
      when: "incident.severity != 'minor'"
      steps:
        - name: restart
          http: «method: POST, url: "http://127.0.0.1/restart"{restart_probe}»
          timeout: 4s
          verify: «http: «url: "http://127.0.0.1/health"», within: 6s, every: 3s»
          on_failure: failover
        - name: failover
          http: «method: POST, url: "http://127.0.0.1/failover", idempotency: key{probe}»
          timeout: 4s
          retry: «attempts: 3, wait: 2s»
          verify: «http: «url: "http://127.0.0.1/health"», within: 6s, every: 3s»
          approval: «within: {approval}s»
communicate:
  channels:
    - «name: slack, slack: «url: "http://127.0.0.1:1/api/", token: «env: SLACK»», fallback: mail»
    - «name: mail, smtp: «host: 127.0.0.1, from: tocsin@example.com», address: all@example.com»{announce}{war_room}
"""
