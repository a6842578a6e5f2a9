"""Health judges by evidence of the last seconds; here the clock is moved by hand."""

from dataclasses import dataclass
from datetime import timedelta

from storefront.cache import Cache
from storefront.gateway import ProviderName
from storefront.health import Checkouts, Memory, Probes


@dataclass
class HandClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def checkouts(clock: HandClock) -> Checkouts:
    return Checkouts(timedelta(seconds=2), timedelta(seconds=0.5), clock)


def test_no_checkouts_are_healthy_checkouts():
    assert checkouts(HandClock()).check().ok


def test_a_failure_counts_until_it_is_older_than_the_window():
    window = checkouts(clock := HandClock())
    window.finish(window.start(), failed=True)
    clock.now += 2
    assert not window.check().ok
    clock.now += 0.01
    assert window.check().ok


def test_one_failure_among_twenty_is_tolerated_and_two_are_not():
    window = checkouts(HandClock())
    for _ in range(19):
        window.finish(window.start(), failed=False)
    window.finish(window.start(), failed=True)
    assert window.check().ok
    window.finish(window.start(), failed=True)
    assert not window.check().ok


def test_a_slow_checkout_is_bad_before_it_ends_and_however_long_it_hangs():
    window = checkouts(clock := HandClock())
    attempt = window.start()
    clock.now += 0.5
    assert window.check().ok
    clock.now += 0.1
    assert not window.check().ok
    clock.now += 60
    assert not window.check().ok
    window.finish(attempt, failed=False)
    assert window.check().ok


def test_old_attempts_are_forgotten_though_nobody_asks():
    window = checkouts(clock := HandClock())
    for _ in range(1000):
        window.finish(window.start(), failed=False)
        clock.now += 0.1
    assert len(window._attempts) <= 22


def test_a_provider_nobody_has_asked_is_not_known_to_be_well():
    probes = Probes(timedelta(seconds=2), clock := HandClock())
    assert not probes.check(ProviderName.PRIMARY).ok
    probes.record(ProviderName.PRIMARY, True)
    assert probes.check(ProviderName.PRIMARY).ok
    clock.now += 2.1
    assert not probes.check(ProviderName.PRIMARY).ok


def test_only_the_active_providers_answers_count():
    probes = Probes(timedelta(seconds=2), HandClock())
    probes.record(ProviderName.PRIMARY, False)
    probes.record(ProviderName.BACKUP, True)
    assert not probes.check(ProviderName.PRIMARY).ok
    assert probes.check(ProviderName.BACKUP).ok


def test_memory_may_grow_by_its_headroom_and_no_further():
    assert Memory(lambda: 150, at_start=100, headroom=50).check().ok
    assert not Memory(lambda: 151, at_start=100, headroom=50).check().ok


def test_the_cache_forgets_by_age_and_by_number():
    cache: Cache[int] = Cache(timedelta(seconds=5), clock := HandClock(), limit=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)  # "b" was used longest ago
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    clock.now += 5
    assert cache.get("a") is None
    assert (cache.hits, cache.misses) == (3, 2)
