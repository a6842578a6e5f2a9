"""The playbooks of simulations: small ones of one family, whose times and ways differ from seed to seed."""

from dataclasses import dataclass
from random import Random

__all__ = ["Shape", "draw_shape", "playbook_text"]


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

_TEXT = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: «name: simulated»
severities:
  - «name: critical, acknowledge_within: 3m, resolve_within: 20m, automation: automatic{updates}»
  - «name: major, acknowledge_within: 5m, automation: approve»
  - «name: minor, automation: "off"»
{detect}
group: «by: [service], reopen_within: {reopen}s, watch_for: {watch}s, wait: {wait}»{mutes}
oncall:
  people:
    - name: ada
      contacts: [«channel: slack, address: "#ada"», «channel: mail, address: ada@example.com»]
    - name: grace
      contacts: [«channel: mail, address: grace@example.com», «channel: slack, address: "#grace"»]
  teams:
    - «name: all, members: [ada, grace]»
escalate:
  - severities: [critical]
    levels:
      - «after: 0s, notify: ["person:ada"]»
      - «after: {first}s, notify: ["person:grace"]»
      - «after: {second}s, notify: ["team:all"]»
    repeat: {rounds}
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
    - «name: mail, smtp: «host: 127.0.0.1, from: tocsin@example.com», address: all@example.com»{announce}
"""
