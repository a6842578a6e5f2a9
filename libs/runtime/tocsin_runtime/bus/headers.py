"""Reading a message's headers as nats-py does, but each name once: they are the same ones in nearly every message."""

from functools import lru_cache

__all__ = ["header_lines"]


def header_lines(raw: bytes) -> dict[str, str]:
    """As `nats.aio.client.Client._parse_header_lines`, which looks at every letter of every name."""
    read: dict[str, str] = {}
    for line in raw.split(b"\r\n"):
        before, colon, value = line.partition(b":")
        if colon and (name := _name(before)) is not None:
            read[name] = value.strip().decode("utf-8", "replace")
    return read


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str | None:
    """None where it is no name, and its line no header."""
    try:
        name = raw.strip().decode("ascii")
    except UnicodeDecodeError:
        return None
    return None if any(letter.isspace() for letter in name) else name
