"""What today's code decides of the golden logs, and in what that may differ from what it decided then.

A change that decides otherwise on purpose says so: the differences stand in a file beside the log, `NAME.differences`.

    .venv/bin/python libs/rehearsal/tests/recording/golden_decisions.py

writes these files as they are today, and removes those that are not needed any more.
"""

from collections.abc import Sequence
from pathlib import Path

from tocsin_rehearsal.deciding import fold_and_decide
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.replaying import replay_into
from tocsin_rehearsal.staging import quiet
from tocsin_rehearsal.world import World

TOP = Path(__file__).resolve().parents[4]
FOLDER = TOP / "tests" / "golden"
GOLDEN = sorted([*FOLDER.glob("*.jsonl"), *FOLDER.glob("*.jsonl.gz")])
THIS = Path(__file__).resolve().relative_to(TOP)

HEADING = "# In what today's code decides otherwise than when this was recorded, on purpose. See README.md.\n"


def differences_today(path: Path) -> list[str]:
    """Of all services in virtual time, and of the escalator's core decision by decision; none if all is as it was."""
    recording = Recording.read(path)
    with quiet():
        lived = replay_into(World, recording)
        lived.world.close()
    decided = fold_and_decide(recording)
    return [
        *(f"all services: {difference}" for difference in lived.differences),
        *(f"all services: not sent: {reason}" for reason in lived.not_sent),
        *(f"escalator's core: {difference}" for difference in decided.differences),
        *(f"escalator's core: not decided: {reason}" for reason in decided.undecided),
    ]


def accepted_file(path: Path) -> Path:
    """Beside the log."""
    return path.with_name(f"{path.name.partition('.')[0]}.differences")


def accepted(path: Path) -> list[str]:
    """The differences that are meant."""
    file = accepted_file(path)
    return [line for line in file.read_text().splitlines() if line[:1] != "#"] if file.exists() else []


def accept(path: Path, today: Sequence[str]) -> None:
    """These are meant."""
    if today:
        accepted_file(path).write_text(HEADING + "".join(f"{line}\n" for line in today))
    else:
        accepted_file(path).unlink(missing_ok=True)


def complaint(path: Path, today: Sequence[str], meant: Sequence[str]) -> str:
    """What is wrong and what to do, or nothing."""
    if list(today) == list(meant):
        return ""
    new = [f"  {line}" for line in today if line not in meant]
    gone = [f"  {line}" for line in meant if line not in today]
    name = path.name
    lines = [f"{name}: today's code does not decide as it did when this was recorded."] if new else []
    lines += new
    lines += [f"{name}: these differences were meant, and are there no more:", *gone] if gone else []
    lines += [f"{name}: the differences that are meant are told in another order."] if not new and not gone else []
    return "\n".join(
        [
            *lines,
            "",
            f"Not meant? Then it is a regression; `tocsin replay tests/golden/{name}` shows it.",
            f"Meant? Then say so: `.venv/bin/python {THIS}` writes tests/golden/{accepted_file(path).name};",
            "commit it with the change, and tell what decides otherwise in CHANGELOG.md.",
        ]
    )


def main() -> None:
    for path in GOLDEN:
        today = differences_today(path)
        accept(path, today)
        print(f"{path.name}: {len(today) or 'no'} differences")  # noqa: T201  # a script


if __name__ == "__main__":
    main()
