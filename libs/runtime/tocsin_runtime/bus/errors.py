"""How talking to NATS can fail, told apart by what the caller should do."""

__all__ = ["AlreadyInLogError", "BusError", "BusUnavailableError", "LostRaceError", "NotAllowedError", "PromiseError"]


class BusError(Exception):
    """Something between us and NATS."""


class BusUnavailableError(BusError):
    """No answer, or a refusal that will pass. The write may have happened: find out, or repeat it with the same id."""


class NotAllowedError(BusUnavailableError):
    """The server does not let this identity say this: nothing was written. It may let it later, so services try again;
    a person is told."""


class LostRaceError(BusError):
    """The log moved on since the state was read: load again and decide again."""


class AlreadyInLogError(BusError):
    """An event of this batch is in the log already: load again; what is decided will be less or nothing."""


class PromiseError(BusError):
    """A promise could not be kept with this server as it is set up. Says what was found and what is needed."""

    def __init__(self, what: str, found: str, needed: str) -> None:
        super().__init__(f"{what}: found {found}; needed {needed}")
        self.what, self.found, self.needed = what, found, needed
