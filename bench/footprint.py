"""How quickly `tocsin up` is ready, and how much memory the services take."""

import time
from pathlib import Path

import psutil

from bench.everything import prepared
from bench.figures import Figure, spread_of

RUNS = 5


def measure() -> list[Figure]:
    """Empty folders, warm file cache; ready means every service's `/readyz` would say so."""
    with prepared() as (up, _slack):
        up.start()  # once before, as after an installation: Python keeps what it has compiled
    ready: list[float] = []
    memory: list[float] = []
    cpu: list[float] = []
    servers: list[float] = []
    for _ in range(RUNS):
        with prepared() as (up, _slack):
            began = time.perf_counter()
            up.start()
            ready.append(time.perf_counter() - began)
            time.sleep(5)
            process = psutil.Process(up.reach.pid)
            memory.append(_resident(process))
            servers.append(sum(_resident(child) for child in process.children(recursive=True)))
            times = process.cpu_times()
            cpu.append(times.user + times.system)
    return [
        spread_of("tocsin up: from the command to ready", ready, "s", target=3.0),
        spread_of("five services in one process, resident after 5 s", memory, "MB", target=200.0),
        spread_of("nats-server and Valkey beside them, resident", servers, "MB"),
        spread_of("CPU seconds of the services until 5 s after ready", cpu, "s"),
    ]


def _resident(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return float(process.memory_info().rss) / 1024 / 1024
