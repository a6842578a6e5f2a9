"""What must hold in every simulation: the invariants of the reliability page, as far as there is something to hold."""

from tocsin_rehearsal.simulate.invariants.actions import (
    AtMostOnce,
    BudgetKept,
    IntentFirst,
    OneOutcome,
    StillWanted,
    TruthfulOutcome,
    UnknownIsTold,
)
from tocsin_rehearsal.simulate.invariants.alerts import NoAlertLost, NoAnswerBeforeDurability, OneIncident
from tocsin_rehearsal.simulate.invariants.answers import EachAnswers, NoWayAfterAnswer
from tocsin_rehearsal.simulate.invariants.bulkheads import OthersArrive, PagedSoon, PoisonIsParked
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant, Violation
from tocsin_rehearsal.simulate.invariants.detection import FiresWhenDue, SilenceIsTold
from tocsin_rehearsal.simulate.invariants.escalation import (
    CatchesUpSanely,
    EachLevelOnce,
    HearsResolutionsFirst,
    NeverEarly,
    NoEscalationAfterResolution,
    OnTime,
)
from tocsin_rehearsal.simulate.invariants.liveness import AllClosed, AllLive, BacklogEmpties, NothingOverdue
from tocsin_rehearsal.simulate.invariants.log import (
    CommandsAnswered,
    DecidedOnce,
    LegalLife,
    SameDecisionAgain,
    WholeLog,
)
from tocsin_rehearsal.simulate.invariants.muting import NobodyToldWhileMuted
from tocsin_rehearsal.simulate.invariants.pages import (
    DuplicatesBounded,
    FallsBackSoon,
    NoPageLost,
    NoSendingAfterReceipt,
    ReceiptIsTrue,
)
from tocsin_rehearsal.simulate.invariants.parts import PartsAreHeard
from tocsin_rehearsal.simulate.invariants.timeline import TimelineWhole

__all__ = ["ALL", "Course", "Invariant", "Violation"]

ALL: tuple[type[Invariant], ...] = (
    AllLive, NoAnswerBeforeDurability, NoAlertLost, OneIncident,
    IntentFirst, AtMostOnce, TruthfulOutcome, OneOutcome, UnknownIsTold, StillWanted, BudgetKept,
    NeverEarly, OnTime, EachLevelOnce, CatchesUpSanely, HearsResolutionsFirst, NoEscalationAfterResolution,
    NobodyToldWhileMuted, PartsAreHeard, NoWayAfterAnswer, EachAnswers, NoPageLost, FallsBackSoon, ReceiptIsTrue,
    NoSendingAfterReceipt, DuplicatesBounded,
    WholeLog, DecidedOnce, LegalLife, CommandsAnswered, SameDecisionAgain, TimelineWhole,
    PoisonIsParked, OthersArrive, PagedSoon, FiresWhenDue, SilenceIsTold,
    BacklogEmpties, NothingOverdue, AllClosed,
)  # fmt: skip
"""In the order in which they are looked at."""
