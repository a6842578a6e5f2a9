"""From an alert being posted to its page being received, every hop on disk.

One alert at a time on an idle system: the time from sending `POST /api/v2/alerts` until the Slack double has the
message of the page.
"""

import time
from statistics import median

import httpx
import psutil

from bench.everything import prepared
from bench.figures import Figure, percentile
from tocsin_testkit.receivers.slack import SlackDouble

WARM_UP = 20
ALERTS = 300
ROUNDS = 3


def measure() -> list[Figure]:
    """Several rounds; the spread is over the rounds."""
    medians: list[float] = []
    tails: list[float] = []
    answered: list[float] = []
    cpu: list[float] = []
    for _ in range(ROUNDS):
        with prepared() as (up, slack):
            up.start()
            process = psutil.Process(up.reach.pid)
            with httpx.Client(base_url=up.reach.alertmanager_url, trust_env=False, timeout=10) as client:
                for number in range(WARM_UP):
                    _one(client, slack, f"warm{number}")
                before = process.cpu_times()
                times = [_one(client, slack, f"service{number}") for number in range(ALERTS)]
                after = process.cpu_times()
            pages = [paged for _, paged in times]
            answered.append(median(answer for answer, _ in times))
            medians.append(median(pages))
            tails.append(percentile(pages, 0.99))
            used = after.user + after.system - before.user - before.system
            cpu.append(used / ALERTS * 1000)
    return [
        Figure(
            "alert posted to page received, median", median(medians), "ms", 15.0, low=min(medians), high=max(medians)
        ),
        Figure(
            "alert posted to page received, 99th percentile", median(tails), "ms", 60.0, low=min(tails), high=max(tails)
        ),
        Figure("alert posted to 200 answered, median", median(answered), "ms", low=min(answered), high=max(answered)),
        Figure("CPU of the services for one alert", median(cpu), "ms", low=min(cpu), high=max(cpu)),
    ]


def _one(client: httpx.Client, slack: SlackDouble, service: str) -> tuple[float, float]:
    alert = {"labels": {"alertname": "Bench", "service": service, "severity": "P1"}}
    began = time.perf_counter()
    client.post("/api/v2/alerts", json=[alert]).raise_for_status()
    answer = time.perf_counter()
    slack.wait(lambda message: service in message.text or service in str(message.blocks))
    received = time.perf_counter()
    time.sleep(0.02)  # the system is idle again before the next one
    return (answer - began) * 1000, (received - began) * 1000
