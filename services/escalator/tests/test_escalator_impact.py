"""What an incident does to people: it moves the severity, and may tell the next level at once."""

import pytest
from escalator_world import World, fired, minutes, rulebook

from tocsin_escalator.core.impact import said_by, together
from tocsin_schemas import Impact, Labels
from tocsin_schemas.commands import Acknowledge, ReleaseSeverity, Resolve, SetSeverity, StateImpact

BOOK = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}, {name: P2}, {name: P3}]
group: {by: [service], reopen_within: 30m, watch_for: 15m}
classify:
  - {when: incident.users_affected >= 0.5, severity: P0, because: half of the users are affected}
  - {when: incident.users_affected >= 0.1, severity: P1, because: one user in ten is affected}
  - {when: "incident.data_loss || incident.compliance", severity: P1, because: data or the law is concerned}
  - {when: incident.security || incident.data_at_risk, severity: P2, because: it may be an attack, at_once: true}
  - {when: incident.workaround, severity: P2, applies: at_most, because: there is a workaround}
oncall: {people: [{name: ada}, {name: bob}, {name: eve}]}
escalate:
  - severities: [P0, P1, P2, P3]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 30m, notify: ["person:bob"]}
      - {after: 2h, notify: ["person:eve"]}
""")


def opened(severity: str = "P3", **annotations: str) -> World:
    world = World(BOOK)
    world.fire(fired(severity=severity).model_copy(update={"annotations": annotations}))
    return world


# --- what is known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "share"),
    [("0.35", 0.35), ("35%", 0.35), (" 100 % ", None), ("100%", 1.0), ("2", None), ("-0.1", None), ("nan", None),
     ("many", None), ("", None), ("1e999", None)],
)  # fmt: skip
def test_a_share_is_read_or_not_known(text: str, share: float | None) -> None:
    found = said_by(Labels(), {"users_affected": text})
    assert found.users_affected == (share if text.strip() != "100 %" else 1.0)


def test_flags_are_read_from_labels_and_annotations_which_win() -> None:
    labels = Labels({"security": "Yes", "data_loss": "1", "compliance": "perhaps"})
    assert said_by(labels, {"data_loss": "no"}) == Impact(security=True, data_loss=False)


def test_what_is_said_later_wins_and_what_is_not_said_stays() -> None:
    known = together(Impact(security=True, users_affected=0.1), Impact(users_affected=0.4))
    assert known == Impact(security=True, users_affected=0.4)
    assert together(None, Impact()) == Impact()


# --- what follows -----------------------------------------------------------------------------------------------------


def test_an_alert_says_how_many_are_affected() -> None:
    world = opened(users_affected="60%")
    assert world.timeline()[:3] == [
        "0s opened P0 CheckoutErrors (checkout)",
        "0s grouped CheckoutErrors P0",
        "0s impact users_affected=0.6",
    ]


def test_a_person_says_more_and_the_severity_rises() -> None:
    world = opened()
    world.do(StateImpact, impact=Impact(users_affected=0.2))
    assert world.timeline()[-2:] == ["0s impact users_affected=0.2", "0s severity P3 -> P1 (classification)"]
    world.do(StateImpact, impact=Impact(users_affected=0.2))
    assert world.timeline()[-1] == "0s rejected StateImpact: that is known already"
    world.do(StateImpact, impact=Impact(users_affected=0.01))
    assert world.state.severity == "P1", "only a person lowers it"


def test_what_a_person_said_an_alert_does_not_unsay() -> None:
    world = opened()
    world.do(StateImpact, impact=Impact(users_affected=0.2))
    world.fire(fired("Other", "P3").model_copy(update={"annotations": {"users_affected": "0.9"}}))
    assert world.state.impact == Impact(users_affected=0.2)
    assert world.state.severity == "P1"


def test_security_tells_the_next_level_at_once_once_and_whoever_is_on_it() -> None:
    world = opened()
    world.do(Acknowledge)
    world.do(StateImpact, impact=Impact(security=True))
    assert world.timeline()[-4:] == [
        "0s severity P3 -> P2 (classification)",
        "0s escalated level 1.0 (at_once)",
        "0s page person:bob level 1.0 P2 (escalated)",
        "0s note The next level was told at once: it may be an attack",
    ]
    world.do(StateImpact, impact=Impact(data_at_risk=True))
    assert len(world.pages()) == 2


def test_it_is_told_at_once_whatever_the_severity() -> None:
    world = opened("P1", data_at_risk="true")
    assert [line for line in world.timeline() if "at_once" in line] == ["0s escalated level 1.0 (at_once)"]
    world.advance(minutes(60))
    assert len([page for page in world.pages() if "person:bob" in page]) == 1, "the level is not told again in its time"


def test_a_reopened_incident_tells_them_anew() -> None:
    world = opened("P1", data_at_risk="true")
    world.do(Resolve)
    world.advance(minutes(1))
    world.fire(fired(severity="P1", episode="e2").model_copy(update={"annotations": {"data_at_risk": "true"}}))
    assert len([line for line in world.timeline() if "at_once" in line]) == 2


def test_what_nobody_has_said_moves_nothing() -> None:
    assert opened("P1").state.severity == "P1", "a workaround of which nobody has said that there is one caps nothing"


# --- releasing --------------------------------------------------------------------------------------------------------


def test_a_persons_severity_holds_until_it_is_released() -> None:
    world = opened("P1")
    world.do(SetSeverity, severity="P3")
    world.fire(fired("Other", "P0"))
    assert world.state.severity == "P3"
    world.do(ReleaseSeverity)
    assert world.timeline()[-2:] == ["0s severity released", "0s severity P3 -> P0 (released)"]
    world.do(ReleaseSeverity)
    assert world.timeline()[-1] == "0s rejected ReleaseSeverity: nobody has set the severity: it is P0 by itself"


def test_released_it_may_fall_too() -> None:
    world = opened("P3")
    world.do(SetSeverity, severity="P0")
    world.do(ReleaseSeverity)
    assert world.state.severity == "P3"


def test_what_a_person_says_of_what_is_over_is_written_down_and_moves_nothing() -> None:
    world = opened()
    world.do(Resolve)
    world.do(StateImpact, impact=Impact(users_affected=0.9))
    assert world.timeline()[-1] == "0s impact users_affected=0.9"
    assert world.state.severity == "P3"
