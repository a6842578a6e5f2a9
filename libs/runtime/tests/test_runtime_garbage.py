"""The garbage collector, while much is read that stays."""

import gc
from collections.abc import Iterator

import pytest

from tocsin_runtime import garbage
from tocsin_runtime.garbage import without_collecting


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.collect()
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def test_no_garbage_is_looked_for_until_the_last_reader_is_through() -> None:
    with without_collecting():
        with without_collecting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_reader_may_be_through_before_its_block_is() -> None:
    with without_collecting() as end:
        with without_collecting():
            end()
            end()
            assert not gc.isenabled()
        assert gc.isenabled()
        with without_collecting():
            pass
    assert gc.isenabled()


def test_it_is_looked_for_again_also_where_reading_failed() -> None:
    with pytest.raises(RuntimeError), without_collecting():
        raise RuntimeError
    assert gc.isenabled()


def test_who_looks_for_none_at_all_is_left_alone() -> None:
    gc.disable()
    with without_collecting():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_many_objects_that_stay_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "MANY", 1000)
    frozen = gc.get_freeze_count()
    with without_collecting():
        stays = [[] for _ in range(2000)]  # type: ignore[var-annotated]  # lists of nothing
    assert gc.get_freeze_count() >= frozen + len(stays)


def test_after_few_objects_all_is_looked_at_as_before() -> None:
    frozen = gc.get_freeze_count()
    with without_collecting():
        pass
    assert gc.get_freeze_count() == frozen
