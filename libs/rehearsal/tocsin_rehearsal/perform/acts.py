"""What is done at a time in a test, done to a world."""

from collections.abc import Mapping
from datetime import timedelta

from tocsin_escalator.core.standing import TOO_WIDE, could_match_everything, order_id
from tocsin_rehearsal.cases.model.acts import (
    Act,
    Lift,
    OverrideOnCall,
    Silence,
    StandingOrder,
)
from tocsin_rehearsal.cases.model.given import GivenSilence
from tocsin_rehearsal.outside.senders import ForeignAlert
from tocsin_rehearsal.perform.asking import NothingMeantError, command_of
from tocsin_rehearsal.perform.outsides import set_channel, set_rules
from tocsin_rehearsal.world import World
from tocsin_schemas import Actor, Command, caused_by, commands
from tocsin_schemas.events import (
    OrderRejected,
    RequestRefused,
    SilenceSet,
)
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import order_subject

__all__ = ["Stagehand"]


_AFTER_THE_END = timedelta(hours=1)


class Stagehand:
    """Does what a test says. What cannot be done, because nothing of the kind exists then, is kept as a problem."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._alerts: list[ForeignAlert] = []
        self._asked: dict[str, timedelta] = {}
        self._orders: dict[str, tuple[str, str]] = {}
        self.problems: list[tuple[timedelta, str]] = []

    def do(self, act: Act) -> None:
        """One act, now."""
        try:
            self._do(act)
        except NothingMeantError as error:
            self.problems.append((self._world.elapsed, f"{act.verb}: {error}"))

    def silence(self, given: GivenSilence, ends: timedelta) -> None:
        """Somebody has set this silence before the test begins, which ends after so long."""
        if could_match_everything(given.match):
            self.problems.append((given.begins, f"silences: {TOO_WIDE}"))
            return
        cause = derive_id("given", len(self._orders))
        event = SilenceSet(
            silence=order_id(cause),
            match=tuple(map(str, given.match)),
            begins_at=self._world.start + given.begins,
            ends_at=self._world.start + (given.until or ends + _AFTER_THE_END),
            because=given.because,
            by=Actor.system("test"),
        )
        self._world.send(order_subject(SilenceSet), caused_by(cause, 0, event.OWNER, "", self._world.now, event))
        self._orders[given.name or cause] = "Silence", event.silence

    def undone(self) -> tuple[tuple[timedelta, str], ...]:
        """What could not be done, with the orders, and what was asked of the remediator, that were refused."""
        refused = [
            (self._asked[answer.cause], f"{answer.data.command}: {answer.data.reason}")
            for answer in (*self._world.orders, *self._world.log)
            if isinstance(answer.data, OrderRejected | RequestRefused) and answer.cause in self._asked
        ]
        return tuple(sorted([*self.problems, *refused]))

    def fire(self, labels: Mapping[str, str], annotations: Mapping[str, str], lasts: timedelta | None) -> None:
        """Another system raises an alert."""
        self._alerts.append(self._world.alert(labels, annotations=annotations, lasts=lasts))

    def _do(self, act: Act) -> None:
        world = self._world
        if isinstance(asked := act.asked, Silence | OverrideOnCall | Lift):
            self._order(asked)
        elif asked is not None:
            self._asked[world.command(command_of(asked, world.log), by=asked.by)] = world.elapsed
        elif act.kill is not None:
            world.kill(act.kill)
        elif act.restart is not None:
            world.kill(act.restart)
            world.restart(act.restart)
        elif act.fire is not None:
            self.fire(act.fire.labels, act.fire.annotations, act.fire.lasting)
        elif act.clear is not None:
            self._clear(act.clear)
        elif act.nats is not None:
            (world.kill if act.nats == "down" else world.restart)("nats")
        elif act.redis is not None:
            world.leases.is_up = act.redis == "up"
        elif act.http:
            set_rules(world, act.http)
        else:
            for channel, troubles in act.channels.items():
                set_channel(world, channel, troubles)

    def _clear(self, labels: Mapping[str, str]) -> None:
        meant = [alert for alert in self._alerts if alert.ends_at is None and labels.items() <= alert.labels.items()]
        if not meant:
            raise NothingMeantError("no alert of another system with these labels fires")
        for alert in meant:
            self._world.clear(alert)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _order(self, asked: StandingOrder) -> None:
        by = Actor.person(asked.by, "cli")
        if isinstance(asked, Lift):
            self._lift(asked, by)
            return
        until = self._world.now + asked.lasting
        if isinstance(asked, Silence):
            match = tuple(map(str, asked.match))
            order: Command = commands.Silence(match=match, until=until, because=asked.because, by=by)
        else:
            order = commands.OverrideOnCall(
                schedule=asked.schedule, person=asked.person, until=until, because=asked.because, by=by
            )
        self._give(order, type(asked).__name__, asked.name, by=asked.by)

    def _lift(self, asked: Lift, by: Actor) -> None:
        """What stands by this name, else what was set last."""
        name = asked.name or next(reversed(self._orders), None)
        if name is None or name not in self._orders:
            raise NothingMeantError(f"nothing called {name} stands" if name else "nothing has been set")
        kind, order = self._orders.pop(name)
        if kind == "Silence":
            lift: Command = commands.LiftSilence(silence=order, because=asked.because, by=by)
        else:
            lift = commands.LiftOverride(override=order, because=asked.because, by=by)
        self._asked[self._world.command(lift, by=asked.by)] = self._world.elapsed

    def _give(self, order: Command, kind: str, name: str | None, *, by: str) -> None:
        command = self._world.command(order, by=by)
        self._asked[command] = self._world.elapsed
        self._orders[name or command] = kind, order_id(command)
