"""A test that is made of what was recorded passes, whatever happened that night."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from plugin_nights import acknowledge_alert

from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.perform.writing import NothingToWriteError, test_of
from tocsin_rehearsal.recorded import recorded_from
from tocsin_rehearsal.recording import Inputs, inputs_of
from tocsin_rehearsal.recording.format import Recorded
from tocsin_rehearsal.staging import quiet
from tocsin_rehearsal.world import World
from tocsin_schemas import Actor
from tocsin_schemas.commands import ApproveAction
from tocsin_schemas.events import ActionProposed

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities:
  - {name: P1, acknowledge_within: 5m, automation: automatic}
  - {name: P2, automation: approve}
group: {by: [service], reopen_within: 5m, watch_for: 1m}
oncall:
  people:
    - {name: ada, contacts: [{channel: terminal, address: ada}]}
escalate:
  - {severities: [P1, P2], levels: [{after: 0s, notify: ["person:ada"]}]}
remediate:
  runbooks:
    - name: checkout
      when: incident.labels.service == 'checkout'
      steps:
        - name: clear-cache
          http: {method: POST, url: "https://shop.example/clear"}
          verify: {http: {url: "https://shop.example/health"}, within: 10s}
          on_failure: fail-over
        - name: fail-over
          http: {method: POST, url: "https://shop.example/failover"}
          verify: {http: {url: "https://shop.example/health"}, within: 10s}
communicate:
  channels: [{name: terminal, console: {}}]
"""
SICK, WELL = Behaviour(status=503), Behaviour()


@pytest.fixture(autouse=True)
def services_are_quiet() -> Iterator[None]:
    with quiet():
        yield


def minutes(amount: float) -> timedelta:
    return timedelta(minutes=amount)


def night(
    prepare: Callable[[World], object], severity: str = "P1", times: int = 1, also: Sequence[Recorded] = ()
) -> Inputs:
    """So many incidents in a world, an hour apart, recorded, and what was recorded `also`."""
    world = World([PLAYBOOK], settings={"remediator": {"allowed_hosts": "shop.example"}})
    prepare(world)
    labels = {"alertname": "CheckoutErrors", "service": "checkout", "severity": severity}
    for number in range(times):
        world.at(minutes(1 + 60 * number), partial(world.alert, labels, lasts=minutes(5)))
    world.run_until(minutes(60 * times))
    recorded = inputs_of(sorted([*also, *recorded_from(world)], key=lambda message: message.time))
    world.close()
    return recorded


def written(folder: Path, inputs: Inputs) -> dict[str, Any]:
    """The test that is made of it, which passes."""
    made = test_of(inputs, "that night", "shop.yaml")
    (folder / "shop.yaml").write_text(made.playbook)
    (folder / "that_night.yaml").write_text(made.test)
    file = load_cases(folder / "that_night.yaml")
    result = result_of(file, file.cases[0])
    assert result.passed, result.shown
    (case,) = yaml.safe_load(made.test)["tests"]
    return dict(case)


def test_a_night_on_which_all_was_well_says_nothing_of_the_world(tmp_path: Path) -> None:
    case = written(tmp_path, night(lambda world: None))
    assert "world" not in case["given"]
    assert "at" not in case


def test_actions_are_answered_in_the_order_in_which_they_were(tmp_path: Path) -> None:
    def refused_at_first(world: World) -> None:
        world.web.answer("/clear", Behaviour(status=403))
        world.at(minutes(30), lambda: world.web.answer("/clear", WELL))

    case = written(tmp_path, night(refused_at_first, times=2))
    assert case["given"]["world"]["http"] == [
        {"action": "checkout/clear-cache", "answers": [{"status": 400}, {"status": 200}]}
    ]


def test_an_answer_that_was_lost_is_lost_again(tmp_path: Path) -> None:
    case = written(tmp_path, night(lambda world: world.web.answer("/clear", Behaviour(fault="lost"))))
    assert case["given"]["world"]["http"] == [
        {"action": "checkout/clear-cache", "answers": {"lost_after_effect": True}}
    ]


def test_checks_turn_good_and_bad_as_they_did(tmp_path: Path) -> None:
    """The first step does not help, the second does; an hour later the first helps at once."""

    def healthy_after_the_failover(world: World) -> None:
        world.web.answer("/health", SICK)
        world.web.on_done.append(
            lambda call: world.web.answer("/health", WELL) if call.url.endswith("/failover") else None
        )

    case = written(tmp_path, night(healthy_after_the_failover, times=2))
    assert case["given"]["world"]["http"] == [{"url": "https://shop.example/health", "answers": {"status": 503}}]
    assert [act["do"]["http"][0]["answers"] for act in case["at"]] == [{"status": 200}]


def test_who_was_asked_to_approve_is_asked_again(tmp_path: Path) -> None:
    def approve(world: World) -> None:
        event = [each for each in world.log if isinstance(each.data, ActionProposed)][-1]
        assert isinstance(event.data, ActionProposed)
        by = Actor.person("ada", "cli")
        world.command(ApproveAction(incident=event.incident, by=by, action=event.data.action), by="ada")

    case = written(tmp_path, night(lambda world: world.at(minutes(3), partial(approve, world)), severity="P2"))
    assert {"who": "ada", "step": "clear-cache"} in [each.get("approvals") for each in case["expect"]]
    assert sum("pages" in each for each in case["expect"]) == 1
    assert case["at"][0]["do"] == {"approve": {"by": "ada", "runbook": "checkout", "step": "clear-cache"}}


def test_who_acknowledged_by_an_alert_acknowledges_the_incident(tmp_path: Path) -> None:
    asked: list[Recorded] = []

    def prepare(world: World) -> None:
        world.web.answer("shop.example", SICK)
        world.at(minutes(2), lambda: asked.append(acknowledge_alert(world)))

    case = written(tmp_path, night(prepare, also=asked))
    acts = [step["do"] for step in case["at"] if "acknowledge" in step["do"]]
    assert acts == [{"acknowledge": {"by": "ada"}}]


def test_nothing_can_be_made_of_a_night_without_alerts() -> None:
    with pytest.raises(NothingToWriteError, match="holds no alert"):
        test_of(night(lambda world: None, times=0), "n", "p.yaml")
