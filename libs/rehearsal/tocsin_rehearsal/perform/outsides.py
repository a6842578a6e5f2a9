"""How a test's world answers, told to the modelled outsides; what its sources show."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tocsin_rehearsal.cases.model import Feed
from tocsin_rehearsal.cases.model.world import Answer, ChannelTrouble, HttpRule
from tocsin_rehearsal.outside.metrics import Metrics, read_recording
from tocsin_rehearsal.outside.receivers import Reception
from tocsin_rehearsal.outside.web import Behaviour, Fault, Kind
from tocsin_rehearsal.world import World

__all__ = ["set_channel", "set_rules", "show"]

_FOR_EVER = 10**9
_HOLDS = 4
"""Intervals for which a recorded sample is shown where no other follows."""


def show(metrics: Metrics, feed: Feed) -> None:
    """Series are shown from now on, by their source."""
    source = feed.source or ""
    if feed.file is None:
        metrics.feed(source, dict(feed.values), feed.interval)
    else:
        recording = read_recording(Path(feed.file).read_text(encoding="utf-8"))
        metrics.play(source, recording, _HOLDS * feed.interval)


def set_rules(world: World, rules: Sequence[HttpRule]) -> None:
    """Answer requests so from now on. Of several rules for one request, the one given first counts."""
    for rule in reversed(rules):
        behaviours = [behaviour for answer in rule.answers for behaviour in [_behaviour(answer)] * (answer.times or 1)]
        for_good = rule.answers[-1].times is None
        for url, kinds in _addresses(world, rule):
            world.web.answer(url, *behaviours, method=rule.method or "*", kinds=kinds, for_good=for_good)


def set_channel(world: World, name: str, troubles: Sequence[ChannelTrouble]) -> None:
    """What happens to messages in this channel from now on; nothing, if there is no trouble."""
    world.inbox.heal(name)
    for trouble in troubles:
        told = Reception(
            status=trouble.status or 200,
            retry_after=None if trouble.retry_after is None else trouble.retry_after.total_seconds(),
            fault=_fault(trouble),
            times=trouble.times or _FOR_EVER,
        )
        if trouble.begins is None or trouble.begins <= world.elapsed:
            world.inbox.receive(name, told)
        else:
            world.at(trouble.begins, partial(world.inbox.receive, name, told))
        if trouble.until is not None:
            world.at(trouble.until, partial(world.inbox.take_back, name, told))


def _behaviour(answer: Answer) -> Behaviour:
    body = answer.body if answer.json_body is None else json.dumps(answer.json_body)
    takes = answer.takes.total_seconds() if answer.takes is not None else 0.0
    return Behaviour(status=answer.status or 200, body=body or "", fault=_fault(answer), takes=takes)


def _fault(reply: Answer | ChannelTrouble) -> Fault:
    if reply.hang:
        return "hangs"
    if reply.lost_after_effect:
        return "lost"
    return "refused" if reply.refuse else ""


def _addresses(world: World, rule: HttpRule) -> Iterator[tuple[str, tuple[Kind, ...]]]:
    """The addresses that a rule is about, and which kinds of requests there."""
    if rule.url is not None:
        yield rule.url, ("action", "probe", "check")
        return
    runbook, _, step = (rule.action or "").rpartition("/")
    for playbook in world.playbooks:
        for each in playbook.remediate.runbooks:
            if runbook in ("", each.name):
                yield from ((s.http.url, ("action",)) for s in each.steps if s.name == step and s.http is not None)
