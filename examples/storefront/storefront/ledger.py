"""What admin actions really ran, how often, and what was answered: an action with a key runs once."""

import hashlib
import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storefront.errors import BadFieldError, NotFoundError, ShopError

KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(slots=True)
class Execution:
    number: int
    action: str
    key: str | None
    at: datetime
    fingerprint: str
    answer: dict[str, object]
    replays: int = 0

    def body(self) -> dict[str, object]:
        return {
            "executed": True,
            "number": self.number,
            "action": self.action,
            "key": self.key,
            "at": self.at.isoformat(),
            "replays": self.replays,
        }


@dataclass(slots=True)
class Ledger:
    limit: int = 10_000
    """How many executions are remembered; the counts by action are kept for good."""
    by_action: Counter[str] = field(default_factory=Counter)
    _executions: OrderedDict[int, Execution] = field(default_factory=OrderedDict)
    _by_key: dict[str, Execution] = field(default_factory=dict)

    def replay(self, key: str, fingerprint: str) -> Execution | None:
        """The execution this key stands for, if there was one. Raises ShopError if it was of something else."""
        if not KEY.fullmatch(key):
            raise BadFieldError("Idempotency-Key", "1 to 200 visible ASCII characters")
        execution = self._by_key.get(key)
        if execution is None:
            return None
        if execution.fingerprint != fingerprint:
            says = f"Idempotency-Key was used before for another request ({execution.action})"
            raise ShopError(422, says, "Idempotency-Key")
        execution.replays += 1
        return execution

    def record(self, action: str, key: str | None, fingerprint: str, answer: dict[str, object]) -> Execution:
        self.by_action[action] += 1
        number = self.by_action.total()
        execution = Execution(number, action, key, datetime.now(UTC), fingerprint, answer)
        self._executions[number] = execution
        if key is not None:
            self._by_key[key] = execution
        if len(self._executions) > self.limit:
            _, oldest = self._executions.popitem(last=False)
            self._by_key.pop(oldest.key or "", None)
        return execution

    def find(self, key: str) -> Execution:
        execution = self._by_key.get(key)
        if execution is None:
            raise NotFoundError("key", "nothing was executed under this key")
        return execution

    def body(self) -> dict[str, object]:
        return {
            "executions": [execution.body() for execution in self._executions.values()],
            "by_action": dict(self.by_action),
            "by_key": dict(Counter(execution.key for execution in self._by_key.values())),
        }


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Tells apart requests that ask for different things."""
    return hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()
