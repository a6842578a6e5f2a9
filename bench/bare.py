"""The same hops as from an alert to its page, and nothing else: what the broker and the disk take by themselves.

HTTP request, one synced write, delivery to a durable consumer, one atomic batch of four, delivery, HTTP request.
No checks, no decisions, no receipts: not a product, but the least that anything built this way can take here.
`python -m bench.bare NATS_URL SLACK_URL TOKEN` prints its own port and runs until it is stopped.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import nats
import uvloop
from nats.aio.client import Client
from nats.js.client import JetStreamContext

from tocsin_testkit.nats import NatsServer
from tocsin_testkit.receivers.slack import SlackDouble

_EVENTS = 4
_PADDING = "x" * 250
"""About what the events of an incident being opened hold."""


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(int(length.split(b":")[1]))


async def _streams(client: Client) -> None:
    for name in ("A", "B"):
        config = {"name": name, "subjects": [f"{name}.>"], "storage": "file", "allow_atomic": True}
        await client.request(f"$JS.API.STREAM.CREATE.{name}", json.dumps(config).encode())


async def _append(client: Client, service: str) -> None:
    batch = uuid4().hex
    for position in range(1, _EVENTS):
        headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(position)}
        await client.publish(f"B.fact{position}", _PADDING.encode(), headers=headers)
    last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(_EVENTS), "Nats-Batch-Commit": "1"}
    await client.request("B.page", service.encode(), headers=last)


async def _serve(nats_url: str, slack: str, token: str) -> None:
    client = await nats.connect(nats_url)
    await _streams(client)
    jetstream: JetStreamContext = client.jetstream()
    where = urlsplit(slack)
    alerts = await jetstream.pull_subscribe("A.>", durable="a")
    pages = await jetstream.pull_subscribe("B.page", durable="b")
    slack_reader, slack_writer = await asyncio.open_connection(where.hostname, where.port)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                _, body = await _request(reader)
            except asyncio.IncompleteReadError:
                return
            await jetstream.publish("A.1", body)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def escalate() -> None:
        while True:
            for message in await _next(alerts):
                await _append(client, message.data.decode())
                await message.ack()

    async def notify() -> None:
        while True:
            for message in await _next(pages):
                body = json.dumps({"channel": "#incidents", "text": f"{message.data.decode()} {_PADDING}"}).encode()
                slack_writer.write(
                    f"POST {where.path.rstrip('/')}/chat.postMessage HTTP/1.1\r\nHost: {where.netloc}\r\n"
                    f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await _request(slack_reader)
                await message.ack()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(escalate(), notify())


async def _next(subscription: JetStreamContext.PullSubscription) -> list[nats.aio.msg.Msg]:
    try:
        return await subscription.fetch(1, timeout=5)
    except nats.errors.TimeoutError:
        return []


@contextmanager
def bare_hops(slack: SlackDouble, token: str) -> Iterator[str]:
    """Where alerts can be posted, as plain text."""
    temporary = TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True)
    with temporary as folder, NatsServer(Path(folder)) as server:
        command = [sys.executable, "-m", "bench.bare", server.url, slack.api_url, token]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()
            process.communicate()


if __name__ == "__main__":
    uvloop.run(_serve(*sys.argv[1:]))
