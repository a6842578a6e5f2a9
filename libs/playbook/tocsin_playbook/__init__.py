"""The playbook language: what an incident is, who hears of it, what is done, written once and typed.

`load` reads a playbook, `lint` says what is wrong with one, `load_checked` does both. The models of
the grammar are in `tocsin_playbook.model`.
"""

from __future__ import annotations

from tocsin_playbook.expressions import (
    CLASSIFY_ENVIRONMENT,
    INCIDENT_ENVIRONMENT,
    AlertFacts,
    Condition,
    ConditionEvaluationError,
    ConditionSyntaxError,
    Environment,
    Facts,
    IncidentFacts,
    compile_condition,
)
from tocsin_playbook.linter import lint, lint_loaded, load_checked
from tocsin_playbook.loader import Loaded, load, revision_of
from tocsin_playbook.model import Playbook, UnknownNameError
from tocsin_playbook.oncall import (
    NotificationStep,
    Standing,
    Turn,
    contacts_of,
    next_handover,
    on_call,
    people_of,
    standing,
    steps_for,
    turns,
    whole_turns,
)
from tocsin_playbook.problems import PlaybookError, Position, Problem
from tocsin_playbook.summary import Summary, SummaryError, parse_summary

__all__ = [
    "CLASSIFY_ENVIRONMENT",
    "INCIDENT_ENVIRONMENT",
    "AlertFacts",
    "Condition",
    "ConditionEvaluationError",
    "ConditionSyntaxError",
    "Environment",
    "Facts",
    "IncidentFacts",
    "Loaded",
    "NotificationStep",
    "Playbook",
    "PlaybookError",
    "Position",
    "Problem",
    "Standing",
    "Summary",
    "SummaryError",
    "Turn",
    "UnknownNameError",
    "compile_condition",
    "contacts_of",
    "lint",
    "lint_loaded",
    "load",
    "load_checked",
    "next_handover",
    "on_call",
    "parse_summary",
    "people_of",
    "revision_of",
    "standing",
    "steps_for",
    "turns",
    "whole_turns",
]
