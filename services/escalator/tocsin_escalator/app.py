"""The wiring of the escalator, all of it."""

from datetime import timedelta

from tocsin_escalator.adapters.alarms import Alarms
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.index_file import IndexFile
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.after_outage import AfterOutage
from tocsin_escalator.audit import Audit
from tocsin_escalator.core.fold import EscalatorFold
from tocsin_escalator.half_written import HalfWritten
from tocsin_escalator.handlers import Handlers
from tocsin_escalator.orders import OrderHandlers
from tocsin_escalator.settings import EscalatorSettings
from tocsin_runtime import Decider, Host, run

__all__ = ["build", "main"]

_OWN_EVENTS = "tocsin.incidents.*.escalator.*"


def build(host: Host[EscalatorSettings]) -> None:
    """Connect the inputs with the core."""
    every = timedelta(seconds=host.settings.audit_seconds)
    rulebooks = Rulebooks(host.playbooks, host.orders)
    explanations = Explanations(rulebooks)
    index = IncidentIndex(explanations)
    decider = Decider(
        log=host.incidents, service=host.service, fold=EscalatorFold(), clock=host.clock, elsewhere=index.known
    )
    half_written, after_outage = HalfWritten(host.clock), AfterOutage(host.clock)
    handlers = Handlers(
        decider, rulebooks, index, explanations, Alarms(host.timers), host.clock, every, half_written, after_outage
    )
    orders = OrderHandlers(host.orders, host.connection, handlers)

    folder = host.settings.index_folder
    file = IndexFile(folder, index, host.incidents, _OWN_EVENTS, host.clock) if folder is not None else None
    host.follow("INCIDENTS", (_OWN_EVENTS,), index.on_events, resume=file.resume if file is not None else None)
    if file is not None:
        host.connection.on_reconnect(file.doubt)
        host.background("keep the index", file.keep)
    host.consume("escalator-alerts", handlers.on_alerts)
    host.consume("escalator-outcomes", handlers.on_outcomes)
    host.consume("escalator-timers", handlers.on_timers)
    host.consume("escalator-commands", orders.on_commands)
    host.background("audit", Audit(handlers, orders, every).run)
    host.ready_when("playbook", rulebooks.problem)


def main() -> int:
    """The escalator as one process."""
    return run(EscalatorSettings, build)
