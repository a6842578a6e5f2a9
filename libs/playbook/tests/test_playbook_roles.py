"""Which role a playbook's word means."""

import pytest

from tocsin_playbook.roles import role_called
from tocsin_schemas import Role


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("between", [" ", "-", "_", "  "])
def test_a_role_is_known_by_its_words_however_they_are_joined(role: Role, between: str) -> None:
    assert role_called(role.value.replace("_", between)) is role
    assert role_called(role.value.replace("_", between).upper()) is role


@pytest.mark.parametrize(
    ("name", "role"),
    [("commander", Role.COMMANDER), ("Communication Lead", Role.COMMUNICATIONS_LEAD), ("tea maker", None), ("", None)],
)
def test_other_words_are_a_role_or_none(name: str, role: Role | None) -> None:
    assert role_called(name) is role
