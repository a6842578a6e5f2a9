"""From an alert being posted to its page being received, every hop on disk.

One alert at a time on an idle system: the time from sending `POST /api/v2/alerts` until the Slack double has the
message of the page. Beside it, in turns, the same hops bare (bench/bare.py): what broker and disk take by themselves.
"""

import http.client
import json
import time
from statistics import median
from urllib.parse import urlsplit

import psutil

from bench.bare import bare_hops
from bench.everything import TOKEN, prepared
from bench.figures import Figure, percentile, spread_of
from tocsin_testkit.receivers.slack import SlackDouble

WARM_UP = 20
ALERTS = 150
PAUSE = 0.15
"""Seconds: then all that follows from an alert is done, the timeline too, and the system is idle again."""
ROUNDS = 3


def measure() -> list[Figure]:
    """Several rounds; the spread is over the rounds."""
    medians: list[float] = []
    tails: list[float] = []
    answered: list[float] = []
    cpu: list[float] = []
    bare: list[float] = []
    ratios: list[float] = []
    for _ in range(ROUNDS):
        with prepared() as (up, slack), bare_hops(slack, TOKEN) as bare_address:
            up.start()
            process = psutil.Process(up.reach.pid)
            ours = http.client.HTTPConnection(urlsplit(up.reach.alertmanager_url).netloc, timeout=10)
            theirs = http.client.HTTPConnection(bare_address, timeout=10)
            for number in range(WARM_UP):
                _alert(ours, slack, f"warm{number}")
                _bare(theirs, slack, f"warm{number}")
            before = process.cpu_times()
            times: list[tuple[float, float]] = []
            floor: list[float] = []
            for number in range(ALERTS):
                if number % 2:
                    times.append(_alert(ours, slack, f"service{number}"))
                    floor.append(_bare(theirs, slack, f"service{number}"))
                else:
                    floor.append(_bare(theirs, slack, f"service{number}"))
                    times.append(_alert(ours, slack, f"service{number}"))
            after = process.cpu_times()
        pages = [paged for _, paged in times]
        answered.append(median(answer for answer, _ in times))
        medians.append(median(pages))
        tails.append(percentile(pages, 0.99))
        bare.append(median(floor))
        ratios.append(median(page / least for page, least in zip(pages, floor, strict=True)))
        used = after.user + after.system - before.user - before.system
        cpu.append(used / ALERTS * 1000)
    return [
        spread_of("alert posted to page received, median", medians, "ms", target=15.0),
        spread_of("alert posted to page received, 99th percentile", tails, "ms", target=60.0),
        spread_of("alert posted to 200 answered, median", answered, "ms"),
        spread_of("the same hops bare, median", bare, "ms"),
        spread_of("page received, times the bare hops", ratios, "x"),
        spread_of("CPU of the services for one alert", cpu, "ms"),
    ]


def _alert(client: http.client.HTTPConnection, slack: SlackDouble, service: str) -> tuple[float, float]:
    """Milliseconds until the answer, and until the page."""
    alert = {"labels": {"alertname": "Bench", "service": service, "severity": "P1"}}
    return _one(client, "/api/v2/alerts", json.dumps([alert]).encode(), slack, service)


def _bare(client: http.client.HTTPConnection, slack: SlackDouble, service: str) -> float:
    return _one(client, "/", f"bare {service}".encode(), slack, service)[1]


def _one(
    client: http.client.HTTPConnection, path: str, body: bytes, slack: SlackDouble, service: str
) -> tuple[float, float]:
    before = len(slack.messages)
    began = time.perf_counter()
    client.request("POST", path, body, {"Content-Type": "application/json"})
    response = client.getresponse()
    response.read()
    answer = time.perf_counter()
    slack.wait(lambda _: len(slack.messages) > before)  # nothing that takes longer the more there are
    received = time.perf_counter()
    if response.status != http.client.OK or service not in str(slack.messages[-1]):
        raise RuntimeError(f"{response.status}; the page for {service} was expected, not {slack.messages[-1]}")
    time.sleep(PAUSE)
    return (answer - began) * 1000, (received - began) * 1000
