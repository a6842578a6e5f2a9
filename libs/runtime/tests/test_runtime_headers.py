"""Headers are read as nats-py reads them, whatever stands there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from tocsin_runtime import Connection
from tocsin_runtime.bus.headers import header_lines

_PIECES = st.sampled_from(
    [
        b"ce-id",
        b"Nats-Msg-Id",
        b":",
        b": ",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b"a b",
        b"\xff",
        b"\xc3\xa9",
        b"",
        b"%41",
    ]
)


@given(st.lists(_PIECES, max_size=40).map(b"".join) | st.binary(max_size=200))
def test_any_block_is_read_as_nats_py_reads_it(raw: bytes) -> None:
    assert header_lines(raw) == Client._parse_header_lines(raw)


def test_a_name_with_a_space_or_of_other_letters_is_no_name() -> None:
    assert header_lines(b"ce-id: 1\r\nce id: 2\r\nce-\xff: 3\r\nno colon\r\n\r\n") == {"ce-id": "1"}


async def test_a_connection_reads_headers_this_way(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "_parse_header_lines", None)
    subscription = await connection.client.subscribe("headers")
    await connection.client.publish("headers", b"", headers={"ce-id": "é"})
    assert (await subscription.next_msg(5)).headers == {"ce-id": "é"}
