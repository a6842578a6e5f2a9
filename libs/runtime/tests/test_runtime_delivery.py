"""Where a message stands, as its reply subject says in either form."""

import pytest
from nats.aio.msg import Msg
from nats.errors import NotJSMessageError

from tocsin_runtime.bus.delivery import Handed, Position, handed, position

FIRST = "$JS.ACK.ALERTS.escalator-alerts.3.42.57.1700000000000000000.9"
LATER = "$JS.ACK.hub.ACCHASH.ALERTS.escalator-alerts.3.42.57.1700000000000000000.9.token"


@pytest.mark.parametrize("reply", [FIRST, LATER])
def test_a_reply_subject_says_where_its_message_stands(reply: str) -> None:
    assert handed(reply) == Handed("ALERTS", deliveries=3, sequence=42, number=57, left=9)


def test_it_says_what_nats_py_makes_of_it() -> None:
    message = Msg(_client=None, reply=FIRST)  # type: ignore[arg-type]  # nobody answers
    theirs = message.metadata
    assert position(message) == Position(theirs.stream, theirs.sequence.stream, theirs.num_delivered or 0)
    assert handed(FIRST).number == theirs.sequence.consumer
    assert handed(FIRST).left == theirs.num_pending


@pytest.mark.parametrize("reply", ["", "_INBOX.x.y", "$JS.ACK.ALERTS.x.3.42", "$JS.API.INFO.a.b.c.d.e.f.g"])
def test_a_message_of_no_stream_stands_nowhere(reply: str) -> None:
    with pytest.raises(NotJSMessageError):
        handed(reply)
