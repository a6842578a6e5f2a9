"""The roles of an incident by the names that playbooks give them."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin_schemas import Role

__all__ = ["role_called"]

_CALLED: Mapping[str, Role] = {
    **{role.value.replace("_", " "): role for role in Role},
    "commander": Role.COMMANDER,
    "communication lead": Role.COMMUNICATIONS_LEAD,
}


def role_called(name: str) -> Role | None:
    """The role that a playbook's word means, in small or capital letters, with spaces, hyphens or underscores.

    None for one that incidents do not have.
    """
    return _CALLED.get(" ".join(name.lower().replace("_", " ").replace("-", " ").split()))
