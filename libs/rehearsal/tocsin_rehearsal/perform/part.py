"""What a coverage is made of."""

from dataclasses import dataclass

__all__ = ["Part"]


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One thing that a playbook says. `section` is where: detect, group, classify, mute, escalate, on call, remediate,
    communicate."""

    section: str
    name: str

    def __str__(self) -> str:
        return f"{self.section}: {self.name}"
