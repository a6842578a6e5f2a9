"""How fast a rehearsal is: virtual time against real time, and tests a second.

One core each. A system with 20 rules, scraped and evaluated every 15 s, for four virtual hours in which one rule
fires; and a thousand tests of one incident each.
"""

import logging
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from bench.figures import Figure, spread_of
from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.world import World
from tocsin_schemas.events import IncidentOpened

ROUNDS = 5
RULES = 20
HOURS = 4
CASES = 1000
STEP = timedelta(seconds=15)

_RULE = """\
    - name: Errors{number}
      expr: sum(rate(errors_total{{job="j{number}"}}[5m])) / sum(rate(requests_total{{job="j{number}"}}[5m]))
      labels: {{service: s{number}}}
      ladder: [{{severity: P1, above: 0.1, for: 1m}}, {{severity: P2, above: 0.05, for: 5m}}]
"""
_REST = """\
group: {by: [service], watch_for: 5m}
oncall: {people: [{name: ada, contacts: [{channel: terminal, address: ada}]}]}
escalate: [{severities: [P1, P2], levels: [{after: 0s, notify: ["person:ada"]}]}]
communicate: {channels: [{name: terminal, console: {}}]}
"""
PLAYBOOK = (
    "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: bench}\n"
    "severities: [{name: P1, acknowledge_within: 5m}, {name: P2}]\n"
    'sources: [{name: app, prometheus: {scrape: "http://127.0.0.1:1/metrics", every: 15s}}]\n'
    "detect:\n  every: 15s\n  rules:\n" + "".join(_RULE.format(number=number) for number in range(RULES)) + _REST
)
_CASE = """\
  - name: test {number}
    given: {{alerts: [{{labels: {{alertname: Queue, service: s{number}, severity: P1}}, until: 3m}}]}}
    at: [{{at: 1m, do: {{ack: ada}}}}]
    expect:
      - {{by: 1s, pages: {{who: ada}}}}
      - {{at: 2m, incident: acknowledged}}
      - {{by: 9m, incident: resolved}}
    until: 10m
"""
CASE_PLAYBOOK = (
    "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: bench}\n"
    "severities: [{name: P1, acknowledge_within: 5m}, {name: P2}]\n" + _REST
)


def measure() -> list[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    _hours(0.1)
    spans = [_hours(HOURS) for _ in range(ROUNDS)]
    tests = [_tests() for _ in range(3)]
    return [
        spread_of(
            f"virtual time, times real time ({RULES} rules, every 15 s)",
            [HOURS * 3600 / real for real, _ in spans],
            "x",
            target=10_000.0,
            side="at least",
        ),
        spread_of(f"CPU seconds of {HOURS} virtual hours", [cpu for _, cpu in spans], "s"),
        spread_of(f"{CASES:,} tests of one incident each", [real for real, _ in tests], "s", target=10.0),
        spread_of("CPU seconds of these tests", [cpu for _, cpu in tests], "s"),
    ]


def _hours(hours: float) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    world = World([PLAYBOOK])
    steps = int(hours * 240)
    series = {f'requests_total{{job="j{number}"}}': f"0+100x{steps}" for number in range(RULES)}
    series |= {f'errors_total{{job="j{number}"}}': f"0+1x{steps}" for number in range(RULES - 1)}
    series |= {f'errors_total{{job="j{RULES - 1}"}}': f"0+1x{steps // 2} {steps}+50x{steps // 2}"}
    world.feed("app", series, every=STEP)
    world.run_until(timedelta(hours=hours))
    taken = time.perf_counter() - began, time.process_time() - cpu
    if hours >= HOURS and not any(isinstance(event.data, IncidentOpened) for event in world.log):
        raise RuntimeError("no incident was opened: the rehearsal did nothing")
    world.close()
    return taken


def _tests() -> tuple[float, float]:
    with TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        (folder / "playbook.yaml").write_text(CASE_PLAYBOOK)
        head = "apiVersion: tocsin/v1\nkind: PlaybookTest\nplaybook: playbook.yaml\ntests:\n"
        cases = "".join(_CASE.format(number=number) for number in range(CASES))
        (folder / "test.yaml").write_text(head + cases)
        began, cpu = time.perf_counter(), time.process_time()
        file = load_cases(folder / "test.yaml")
        results = [result_of(file, case) for case in file.cases]
        taken = time.perf_counter() - began, time.process_time() - cpu
    if failed := [result for result in results if not result.passed]:
        raise RuntimeError(f"{len(failed)} tests failed; the first:\n{failed[0].error or failed[0].shown}")
    return taken
