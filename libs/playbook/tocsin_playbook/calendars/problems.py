"""What is wrong with a calendar: in which event, and in which of its fields."""

from __future__ import annotations

from tocsin_schemas.text import clean_line


class CalendarError(ValueError):
    """A calendar from which no overrides can be made.

    `uid` is the event's own name, empty where the whole file is meant; `field` the property that is wrong.
    """

    def __init__(self, problem: str, *, uid: str = "", field: str = "") -> None:
        self.uid = clean_line(uid, 80)
        self.field = field
        where = [f"event {self.uid}"] if uid else []
        super().__init__(": ".join([*where, *([field] if field else []), clean_line(problem, 300)]))
