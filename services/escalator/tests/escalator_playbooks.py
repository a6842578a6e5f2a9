"""The playbooks that the escalator's tests carry out."""

from escalator_world import rulebook

STOREFRONT_TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: storefront}
severities:
  - {name: P0, acknowledge_within: 15s, resolve_within: 5m, update_every: 30s}
  - {name: P1, acknowledge_within: 20s, resolve_within: 15m, update_every: 1m}
  - {name: P2, acknowledge_within: 5m}
  - {name: P3}
group: {by: [service], reopen_within: 1m, watch_for: 4s}
classify:
  - when: "'pii' in alert.labels && alert.labels.pii == 'exposed'"
    severity: P0
    because: customer data may be exposed
oncall:
  people: [{name: ada}, {name: grace}]
  teams: [{name: shop, members: [ada, grace]}]
escalate:
  - severities: [P0, P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 15s, notify: ["person:grace"]}
      - {after: 30s, notify: ["team:shop"]}
    repeat: 1
  - severities: [P2, P3]
    levels:
      - {after: 0s, notify: ["channel:slack:#incidents"]}
"""
STOREFRONT = rulebook(STOREFRONT_TEXT)
"""A small shop in a hurry: who is told every fifteen seconds, and it all begins anew once."""

MATRIX = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: qawave}
severities:
  - {name: SEV1, acknowledge_within: 5m, resolve_within: 4h, update_every: 30m}
  - {name: SEV2, acknowledge_within: 15m, update_every: 30m}
  - {name: SEV3, acknowledge_within: 1h, update_every: 1h}
  - {name: SEV4, acknowledge_within: 4h}
group: {by: [service], watch_for: 15m, reopen_within: 30m}
oncall:
  people:
    - {name: olga}
    - {name: omar}
    - {name: lena}
    - {name: emil}
    - {name: cleo}
  schedules:
    - name: primary
      layers:
        - {people: [olga, omar], turn: daily, starts: 2026-03-02, handover: {at: "09:00"}}
escalate:
  - severities: [SEV1]
    levels:
      - {after: 15m, notify: ["schedule:primary"]}
      - {after: 30m, notify: ["person:lena"]}
      - {after: 1h, notify: ["person:emil"]}
      - {after: 2h, notify: ["person:cleo"]}
  - severities: [SEV2]
    levels:
      - {after: 15m, notify: ["schedule:primary"]}
      - {after: 30m, notify: ["person:lena"]}
      - {after: 1h, notify: ["person:emil"]}
  - severities: [SEV3]
    levels:
      - {after: 15m, notify: ["schedule:primary"]}
      - {after: 30m, notify: ["person:lena"]}
  - severities: [SEV4]
    levels:
      - {after: 15m, notify: ["schedule:primary"]}
""")
"""The escalation matrix of a small SaaS: 15 minutes, 30 minutes, 1 hour, 2 hours."""

QUICK_TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: quick}
severities: [{name: P0, acknowledge_within: 300ms}, {name: P1, resolve_within: 1h}]
group: {by: [service], reopen_within: 300ms, watch_for: 200ms}
oncall:
  people:
    - {name: ada, contacts: [{channel: terminal, address: ada}]}
    - {name: grace, contacts: [{channel: terminal, address: grace}]}
communicate: {channels: [{name: terminal, console: {}}]}
escalate:
  - severities: [P0]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 400ms, notify: ["person:grace"]}]
  - severities: [P1]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 1h, notify: ["person:grace"]}]
"""
"""An incident's whole life within a second."""
