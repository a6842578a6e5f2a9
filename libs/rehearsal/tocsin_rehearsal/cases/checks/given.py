"""What is given: sources that exist, series that can be read, requests that somebody makes."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from tocsin_playbook.problems import Path
from tocsin_promql.notation import NotationError, expand, read_series
from tocsin_rehearsal.cases.checks.finding import Finding, unknown
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.messages import closest
from tocsin_rehearsal.cases.model import Act, CaseFile, Feed, HttpRule, World
from tocsin_schemas import Labels

MAX_VALUES = 2_000_000
"""How many values all series of a file may have together."""


def series(file: CaseFile, known: Known) -> Iterator[Finding]:
    """Sources and series."""
    lengths: dict[str, int] = {}
    total = 0
    for number, case in enumerate(file.tests):
        given: Path = ("tests", number, "given")
        for feed in case.given.feeds:
            path = (*given, *feed.path)
            yield from _source(feed, known, path)
            for selector, notation in feed.values.items():
                yield from _selector(selector, (*path, selector))
                yield from _notation(notation, lengths, (*path, selector))
                total += lengths.get(notation, 0)
                if total > MAX_VALUES:
                    yield Finding(
                        path, f"the series have more than {MAX_VALUES} values in all", "fewer or shorter ones"
                    )
                    return


def _source(feed: Feed, known: Known, path: Path) -> Iterator[Finding]:
    if feed.source is None:
        if len(known.metric_sources) != 1:
            message = "the block does not say which source it is of"
            yield Finding(path[:-1], message, f"`source`: {closest('', known.metric_sources)}")
        return
    is_block = feed.path[-1] != feed.source
    place = (*path[:-1], "source") if is_block else path
    if feed.source in known.sources and feed.source not in known.metric_sources:
        message = f"the source {feed.source!r} has no series: alerts come from it"
        yield Finding(place, message, closest(feed.source, known.metric_sources), at_key=not is_block)
        return
    yield from unknown("source", feed.source, known.metric_sources, place, at_key=not is_block)


def _selector(text: str, path: Path) -> Iterator[Finding]:
    try:
        labels = read_series(text)
    except NotationError:
        labels = Labels()
    if "__name__" not in labels:
        yield Finding(path, f"{text[:80]!r} is no series", 'name{label="value"}', at_key=True)


def _notation(text: str, lengths: dict[str, int], path: Path) -> Iterator[Finding]:
    if text in lengths:
        return
    try:
        lengths[text] = len(expand(text))
    except NotationError as error:
        found = text.find(error.item)
        said = (
            str(error)
            .replace("': is no", "' is no")
            .replace(": how often? expected", " does not say how often; expected")
        )
        message, _, expected = said.partition("; expected ")
        yield Finding(path, message, expected or "values such as 1, 0+10x5, _, _x3 or stale", offset=max(found, 0))


def requests(file: CaseFile, known: Known) -> Iterator[Finding]:
    """Answers to requests that nothing makes."""
    for path, world in worlds(file):
        for index, rule in enumerate(world.http):
            yield from _rule(rule, known, (*path, "http", index))


def _rule(rule: HttpRule, known: Known, path: Path) -> Iterator[Finding]:
    if rule.url is not None:
        if not any(fnmatchcase(url, rule.url) for url in known.urls):
            yield Finding((*path, "url"), f"nothing in the playbook asks {rule.url!r}", closest(rule.url, known.urls))
        return
    runbook, slash, step = (rule.action or "").rpartition("/")
    asking = [each for each in known.steps if each.step == step and (not slash or each.runbook == runbook)]
    names = tuple(dict.fromkeys(each.step for each in known.steps if each.is_http))
    if not asking:
        yield Finding((*path, "action"), f"the playbook has no step {rule.action!r}", closest(step, names))
    elif not any(each.is_http for each in asking):
        yield Finding((*path, "action"), f"the step {rule.action!r} makes no request", closest(step, names))
    elif len({each.runbook for each in asking}) > 1:
        written_out = tuple(f"{each.runbook}/{each.step}" for each in asking)
        yield Finding((*path, "action"), f"several runbooks have a step {rule.action!r}", closest("", written_out))


def channels(file: CaseFile, known: Known) -> Iterator[Finding]:
    """Channels that do not exist, and words that are neither a channel nor anything that can be done."""
    for path, world in worlds(file):
        for name in world.channels:
            if name in known.channels:
                continue
            is_act = isinstance(world, Act)
            words = tuple(type(world).model_fields)
            message = f"{name!r} is neither a channel of the playbook nor "
            message += "anything that can be done" if is_act else "a part of the world"
            yield Finding((*path, name), message, closest(name, (*known.channels, *words)), at_key=True)


def worlds(file: CaseFile) -> Iterator[tuple[Path, World]]:
    """Everything that says how the world answers, and where it stands."""
    for number, case in enumerate(file.tests):
        yield ("tests", number, "given", "world"), case.given.world
        for index, doing in enumerate(case.at):
            for turn, act in enumerate(doing.do):
                yield ("tests", number, "at", index, "do", turn), act


def alerts_and_probes(file: CaseFile, known: Known) -> Iterator[Finding]:
    """Probes that do not exist, and alerts that are cleared though nothing raised them."""
    for number, case in enumerate(file.tests):
        for index, result in enumerate(case.given.probes):
            yield from unknown(
                "probe", result.probe, known.probes, ("tests", number, "given", "probes", index, "probe")
            )
        raised = [(alert.begins, alert.labels) for alert in case.given.alerts]
        acts = [
            (doing.at, act, (index, "do", turn))
            for index, doing in enumerate(case.at)
            for turn, act in enumerate(doing.do)
        ]
        raised += [(at, act.fire.labels) for at, act, _ in acts if act.fire is not None]
        for at, act, place in acts:
            wanted = set((act.clear or {}).items())
            if wanted and not any(since <= at and wanted <= set(labels.items()) for since, labels in raised):
                message = "no alert with these labels has been raised by then"
                yield Finding(
                    ("tests", number, "at", *place, "clear"),
                    message,
                    "labels of an alert that `fire` or `alerts` raises before",
                )
