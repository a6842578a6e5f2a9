"""What a double refused: a refusal that no test asked for is a bug of the sender."""

import threading
from dataclasses import dataclass

__all__ = ["Refusal", "Refusals", "UnexpectedRefusalError"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request that the real receiver would not have taken."""

    call: str
    error: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.call}: {self.error}" + (f" ({self.detail})" if self.detail else "")


class UnexpectedRefusalError(AssertionError):
    """The sender sent what the receiver refuses, and the test did not say that it would."""

    def __init__(self, receiver: str, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        listed = "\n".join(f"  {refusal}" for refusal in refusals)
        super().__init__(f"the {receiver} refused:\n{listed}\nIf the test is about that, call expect_refusals(...)")


class Refusals:
    """The refusals of one receiver, and which errors its test expects."""

    def __init__(self, receiver: str) -> None:
        self._receiver = receiver
        self._lock = threading.Lock()
        self._refusals: list[Refusal] = []
        self._expected: set[str] = set()

    def add(self, refusal: Refusal) -> None:
        with self._lock:
            self._refusals.append(refusal)

    def expect(self, *errors: str) -> None:
        with self._lock:
            self._expected.update(errors)

    def all(self) -> tuple[Refusal, ...]:
        with self._lock:
            return tuple(self._refusals)

    def raise_unexpected(self) -> None:
        unexpected = tuple(refusal for refusal in self.all() if refusal.error not in self._expected)
        if unexpected:
            raise UnexpectedRefusalError(self._receiver, unexpected)
