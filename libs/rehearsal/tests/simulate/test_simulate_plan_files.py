"""Plans in files: what was written is read again, what cannot be meant is refused, and what once failed holds."""

from pathlib import Path

import pytest
from planted_bugs import receipts_before_sending

from tocsin_rehearsal.simulate import PROFILES, PlanFileError, be_quiet, draw, failure, perform, plan_text, read_plan

_KEPT = Path(__file__).parents[4] / "tests" / "simulation"
_FAILED_ONCE = sorted(_KEPT.glob("*.yaml"))
_OPEN = sorted(_KEPT.glob("open/*.yaml"))
"""Plans that fail because of a bug that is known and not mended yet."""

_PLAN = """\
profile: everything
seed: 7
replicas: 2
begins: 10.0
ends: 300.0
shape: {watch_for: 15}
steps:
  - fires: {at: 12.0, name: Errors, service: shop, severity: critical, lasts: 300.0}
upheavals:
  - dies: {at: 20.0, lasts: 60.0, replica: escalator-2}
  - targets: {at: 30.0, lasts: 60.0, number: 0, kind: action, behaviour: {fault: lost}, rate: 1.0}
hazards:
  - {kind: latency, rate: 1.0, most: 0.2}
"""


@pytest.fixture(autouse=True)
def quiet() -> None:
    be_quiet()


@pytest.mark.parametrize("path", _FAILED_ONCE, ids=lambda path: path.stem)
def test_what_failed_once_holds(path: Path) -> None:
    assert perform(read_plan(path))[0].violations == ()


@pytest.mark.parametrize("path", _OPEN, ids=lambda path: path.stem)
@pytest.mark.xfail(strict=True, reason="a bug that is known: whoever mends it moves the file up to the others")
def test_what_is_known_to_fail_holds(path: Path) -> None:
    assert perform(read_plan(path))[0].violations == ()


@pytest.mark.parametrize("path", [*_FAILED_ONCE, *_OPEN], ids=lambda path: path.stem)
def test_a_plan_that_is_kept_says_what_went_wrong(path: Path) -> None:
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_plan_that_can_be_drawn_can_be_written_and_read(profile: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    for seed in range(25):
        plan = draw(seed, profile)
        file.write_text(plan_text(plan, "why it is kept"))
        assert read_plan(file) == plan


def test_a_plan_that_was_read_gives_what_its_seed_gives(tmp_path: Path) -> None:
    plan, file = draw(3, "everything"), tmp_path / "plan.yaml"
    file.write_text(plan_text(plan, "why it is kept"))
    assert perform(read_plan(file))[0] == perform(plan)[0]


def test_a_shrunken_plan_breaks_again_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    with receipts_before_sending():
        small = failure(draw(0, "everything"), seconds=5)
        assert small is not None
        file.write_text(plan_text(small.plan, small.broken))
        assert [violation.invariant for violation in perform(read_plan(file))[0].violations][:1] == ["ReceiptIsTrue"]
    assert file.read_text().startswith("# ReceiptIsTrue (1) at ")


def test_what_is_left_out_is_as_it_is_by_default(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(_PLAN)
    plan = read_plan(file)
    assert (plan.shape.watch_for, plan.shape.reopen_within, plan.upheavals[0].trouble) == (15, 120, "kill")


@pytest.mark.parametrize(
    ("instead_of", "there_is", "said"),
    [
        ("profile: everything", "profile: storms", "1:10: profile: 'storms' is not known; expected one of calm, "),
        ("seed: 7\n", "", "1:1: seed: it is missing; expected a value of seed"),
        ("seed: 7", "seed: -1", "2:7: seed: -1 is out of range; expected 0 to "),
        ("seed: 7", "seed: seven", "2:7: seed: this is of another type; expected a whole number"),
        ("seed: 7", "seeds: 7", "2:8: seeds: there is no such field; expected one of seed, profile"),
        ("replicas: 2", "replicas: true", "3:11: replicas: this is of another type; expected a whole number"),
        ("ends: 300.0", "ends: 5", "5:7: ends: it ends before it begins; expected at least 10.0"),
        ("ends: 300.0", "ends: 4000", "5:7: ends: 4000.0 is out of range; expected 0.0 to 2400.0"),
        ("{watch_for: 15}", "15", "6:8: shape: this is no mapping; expected names and values"),
        ("watch_for: 15", "watch: 15", "6:16: shape.watch: there is no such field; expected one of watch_for, "),
        ("- fires:", "- burns:", "8:5: steps[0]: 'burns' is none of its kinds; expected one of fires, "),
        (
            "severity: critical",
            "severity: 3",
            "8:62: steps[0].fires.severity: this is of another type; expected a text",
        ),
        ("at: 12.0, ", "", "8:12: steps[0].fires.at: it is missing; expected a value of at"),
        ("escalator-2", "escalator-3", "10:5: upheavals[0].replica: 'escalator-3' is not known; expected one of "),
        ("lasts: 60.0, replica", "lasts: 290, replica", "10:5: upheavals[0].lasts: it lasts beyond the end of faults"),
        ("kind: action", "kind: acts", "11:55: upheavals[1].targets.kind: 'acts' is not known; expected one of "),
        ("fault: lost", "fault: late", "upheavals[1].targets.behaviour.fault: 'late' is not known; expected one of "),
        ("kind: latency", "kind: laziness", "13:5: hazards[0].kind: 'laziness' is not known; expected one of latency"),
        ("rate: 1.0, most", "rate: 2, most", "hazards[0].rate: 2.0 is out of range; expected 0.0 to 1.0"),
        ("- {kind: latency, rate: 1.0, most: 0.2}", "latency", "13:3: hazards: this is no list; expected a list"),
        ("seed: 7", "seed: 7\nseed: 8", "seed"),
    ],
)
def test_a_mistake_is_named_with_its_field(instead_of: str, there_is: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    assert instead_of in _PLAN
    file.write_text(_PLAN.replace(instead_of, there_is, 1))
    with pytest.raises(PlanFileError) as refused:
        read_plan(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{file}:")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_bytes(b"profile: \xff")
    with pytest.raises(PlanFileError, match=r"the text is not UTF-8; expected a plan"):
        read_plan(file)
