"""Which hosts an action may reach: an allow list, because a playbook is text and a mitigation is power."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

__all__ = ["AllowedHosts", "AllowedHostsError", "refuse_address"]

_PORTS = {"http": 80, "https": 443}


class AllowedHostsError(ValueError):
    """An entry of the allow list that is none; the message names it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    host: str
    port: int | None

    def allows(self, host: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:]) and host != self.host[1:]
        return host == self.host


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """`host`, `host:port`, `*.domain`, `[::1]:8080`, separated by commas. Without a port any port is meant."""

    patterns: tuple[_Pattern, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowedHosts":
        """Raises AllowedHostsError naming the entry."""
        return cls(tuple(_pattern(entry.strip()) for entry in text.split(",") if entry.strip()))

    def refusal(self, url: str) -> str | None:
        """Why an action must not go to this address; none if it may."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower().rstrip("."), parts.port
        except ValueError:
            return "the address cannot be read"
        if parts.scheme not in _PORTS:
            return f"the scheme {parts.scheme[:20]!r} is not http or https"
        port = port if port is not None else _PORTS[parts.scheme]
        if any(pattern.allows(host, port) for pattern in self.patterns):
            return None
        return f"{host}:{port} is not on the list of allowed hosts"


def _pattern(entry: str) -> _Pattern:
    try:
        parts = urlsplit(f"//{entry}")
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        raise AllowedHostsError(f"allowed host {entry[:80]!r}: expected host or host:port") from None
    rest = host.removeprefix("*.")
    if not rest or "*" in rest or parts.path or parts.query or parts.username is not None:
        raise AllowedHostsError(f"allowed host {entry[:80]!r}: expected host, host:port or *.domain")
    return _Pattern(host, port)


def refuse_address(host: str, address: str) -> str | None:
    """Why the address that a name was resolved to must not be reached; none if it may.

    A listed name that suddenly leads to this computer or to a cloud's metadata service (DNS rebinding) is refused;
    who wants that writes the address or `localhost` itself.
    """
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return f"{host} leads to something that is no address"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if _is_literal(host) or host == "localhost" or host.endswith(".localhost"):
        return None
    if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast or found.is_reserved:
        return f"{host} leads to {found}, which is no address of another system"
    return None


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
