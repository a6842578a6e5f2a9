"""What a page offers makes sense where the incident stands."""

import pytest

from tocsin_recorder.core.offers import offers
from tocsin_recorder.core.summary import Phase, Summary

LATER = ("update", "add_note", "escalate", "decline", "set_severity", "resolve")


@pytest.mark.parametrize("phase", list(Phase))
def test_what_is_offered_in_each_phase(phase: Phase) -> None:
    found = offers(Summary("inc", phase=phase), "ada")
    if phase is Phase.CLOSED:
        assert found == ()
    elif phase in (Phase.RESOLVED, Phase.FALSE_ALARM):
        assert found == ("reopen", "update", "add_note")
    else:
        assert found == ("acknowledge", "take_over", *LATER)


def test_who_is_on_it_need_not_say_so_again() -> None:
    mine = Summary("inc", phase=Phase.ACKNOWLEDGED, acknowledged_by="ada")
    assert offers(mine, "ada") == ("take_over", *LATER)
    assert offers(mine, "bob") == ("acknowledge", "take_over", *LATER)
    lead = Summary("inc", phase=Phase.MITIGATING, acknowledged_by="ada", roles=(("incident_commander", "ada"),))
    assert offers(lead, "ada") == LATER
    again = Summary("inc", phase=Phase.REOPENED, acknowledged_by="ada", roles=(("incident_commander", "ada"),))
    assert offers(again, "ada") == ("acknowledge", "take_over", *LATER)
