"""The wiring, all of it."""

from datetime import timedelta

from tocsin_remediator.adapters.http import HttpTarget
from tocsin_remediator.adapters.leases import Leases, NoLeases, ProcessLeases, RedisLeases
from tocsin_remediator.adapters.playbooks import OrderedPlaybooks
from tocsin_remediator.adapters.target import Target
from tocsin_remediator.core.incident import Incident
from tocsin_remediator.effects import Effects
from tocsin_remediator.handlers import Handlers, IncidentFold
from tocsin_remediator.mitigation import Mitigator, TargetBudget
from tocsin_remediator.settings import RemediatorSettings
from tocsin_runtime import Decider, Host, run

__all__ = ["build", "main"]


def build(host: Host[RemediatorSettings], *, target: Target | None = None, leases: Leases | None = None) -> None:
    """Connect the remediator's inputs with its core and its effects.

    A simulation gives what stands for the systems that are acted upon (`target`) and for Redis (`leases`, closed with
    the service). An `HttpTarget` over a modelled `Exchange` models the network alone.
    """
    settings, policy = host.settings, host.settings.policy
    decider: Decider[Incident] = Decider(
        log=host.incidents, service="remediator", fold=IncidentFold(), clock=host.clock, reads="all"
    )
    counted, playbook_of = leases or _leases(host), OrderedPlaybooks(host.playbooks, host.orders).get
    mitigator = Mitigator(
        decider=decider,
        playbook_of=playbook_of,
        policy=policy,
        leases=counted,
        effects=Effects(target or HttpTarget(policy.allowed_hosts), host.clock),
        clock=host.clock,
        replica=host.replica,
        budget=TargetBudget(settings.max_actions_per_target, timedelta(seconds=settings.max_actions_window)),
    )
    handlers = Handlers(decider, mitigator, playbook_of, host.clock, policy.start_within)
    host.consume("remediator-incidents", handlers.on_incidents)
    host.consume("remediator-commands", handlers.on_commands)
    host.at_stop(counted.close)


def _leases(host: Host[RemediatorSettings]) -> Leases:
    if host.settings.redis_url is not None:
        return RedisLeases(host.settings.redis_url)
    if host.settings.budget_without_redis == "ask":
        return NoLeases("no Redis is configured")
    return ProcessLeases(host.clock)


def main() -> int:
    """The remediator as a process."""
    return run(RemediatorSettings, build)
