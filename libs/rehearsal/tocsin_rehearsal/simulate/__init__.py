"""The simulator: whole incidents under random faults, by seed, and what must hold in every one of them.

    outcome = simulate(seed=7, profile="crash")
    assert outcome.holds, outcome.violations

A seed draws a plan (a playbook of a small family, alerts, what people do, what goes wrong), the plan is carried out
in a virtual world of the real services, and every message is looked at as it is stored, sent or done. A plan can be
kept in a file: what a seed draws changes as soon as anything else is drawn.
"""

from tocsin_rehearsal.simulate.many import Result, be_quiet, simulate_many
from tocsin_rehearsal.simulate.plan import Plan, draw
from tocsin_rehearsal.simulate.plan_file import PlanFileError, plan_text, read_plan
from tocsin_rehearsal.simulate.profiles import PROFILES
from tocsin_rehearsal.simulate.report import Failure, failure, reproduction, story
from tocsin_rehearsal.simulate.run import Outcome, perform, simulate

__all__ = [
    "PROFILES",
    "Failure",
    "Outcome",
    "Plan",
    "PlanFileError",
    "Result",
    "be_quiet",
    "draw",
    "failure",
    "perform",
    "plan_text",
    "read_plan",
    "reproduction",
    "simulate",
    "simulate_many",
    "story",
]
