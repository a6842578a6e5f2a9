"""Which release of the shop runs, what ran before it, and how to go back."""

from dataclasses import dataclass

from storefront.errors import ShopError
from storefront.share import Spread


@dataclass(frozen=True, slots=True)
class Release:
    version: str
    broken_share: float = 0.0
    """The share of checkouts that this release gets wrong."""


class Releases:
    def __init__(self) -> None:
        self._deployed = [Release("2.0.0"), Release("2.1.0")]
        self._spread = Spread()

    @property
    def current(self) -> Release:
        return self._deployed[-1]

    @property
    def is_bad(self) -> bool:
        return self.current.broken_share > 0

    def deploy_bad(self, broken_share: float) -> None:
        if self.is_bad:
            self._deployed.pop()
        self._deployed.append(Release("2.2.0", broken_share))

    def roll_back(self) -> Release:
        if len(self._deployed) == 1:
            raise ShopError(409, f"{self.current.version} is the oldest release: there is none to go back to")
        self._deployed.pop()
        return self.current

    def check_out(self) -> None:
        """The part of a checkout that a bad release gets wrong, before any money moves."""
        if self._spread.next() < self.current.broken_share:
            raise ShopError(500, f"release {self.current.version} cannot read this cart")
