"""Who is on call, and who a reference means: pure functions of a playbook and a moment.

A schedule is read from its top: an override in force wins, then the last layer that covers the
moment. Turns are counted on the wall clock of the layer's zone (the schedule's, unless it has its
own), so a hand-over at 09:00 stays at 09:00 when the clocks change. What is to happen at a time that
the clocks skip happens at the moment they are put forward; what is to happen at one that comes twice
happens the first time, and only then. That holds for hand-overs, restrictions, and the days on which
a layer starts and ends.
"""

from __future__ import annotations

from tocsin_playbook.oncall.point import next_handover, on_call
from tocsin_playbook.oncall.reach import contacts_of, people_of
from tocsin_playbook.oncall.rules import NotificationStep, steps_for
from tocsin_playbook.oncall.timeline import Standing, Turn, standing, turns, whole_turns

__all__ = [
    "NotificationStep",
    "Standing",
    "Turn",
    "contacts_of",
    "next_handover",
    "on_call",
    "people_of",
    "standing",
    "steps_for",
    "turns",
    "whole_turns",
]
