"""What is known of what an incident does to people, in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin_schemas import Impact

__all__ = ["Known", "impact_phrases", "known_of"]


@dataclass(frozen=True, slots=True)
class Known:
    """One thing that is known: its name, its value, and whether it makes the incident worse."""

    name: str
    value: str
    is_bad: bool
    phrase: str


def known_of(impact: Impact) -> Iterator[Known]:
    """Everything that somebody has said; nothing for what nobody has."""
    if impact.users_affected is not None:
        share = f"{impact.users_affected * 100:.3g}%"
        yield Known("Users affected", share, impact.users_affected > 0, f"{share} of users affected")
    for field, (name, is_bad, phrase, otherwise) in _FLAGS.items():
        if (flag := getattr(impact, field)) is not None:
            yield Known(name, "yes" if flag else "no", flag is is_bad, phrase if flag else otherwise)


def impact_phrases(impact: Impact) -> tuple[str, ...]:
    """The same as phrases of a sentence."""
    return tuple(known.phrase for known in known_of(impact))


_FLAGS = {
    "data_loss": ("Data lost", True, "data is lost", "no data is lost"),
    "data_at_risk": ("Customer data at risk", True, "customer data is at risk", "customer data is safe"),
    "security": ("Security", True, "security is concerned", "security is not concerned"),
    "compliance": ("Compliance", True, "compliance is concerned", "compliance is not concerned"),
    "workaround": ("Workaround", False, "there is a workaround", "there is no workaround"),
    "recent_deployment": (
        "Recent deployment",
        True,
        "something was deployed shortly before",
        "nothing was deployed shortly before",
    ),
}
"""By field: its name, which answer is bad, and what each answer says."""
