"""Each event as one sentence for people, in the words of the person who reads it at three in the morning."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_recorder.core.effect_sentences import EFFECTS
from tocsin_recorder.core.life_sentences import LIFE
from tocsin_recorder.core.people_sentences import PEOPLE
from tocsin_schemas import Event
from tocsin_schemas.text import clean_line

__all__ = ["SENTENCES", "UNREADABLE", "sentence"]

UNREADABLE = "This entry cannot be read: what is stored is not what was recorded"

_LONGEST = 400

# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
SENTENCES: Mapping[type[Event], Callable[[Any], str]] = {**LIFE, **PEOPLE, **EFFECTS}


def sentence(event: Event | None) -> str:
    """What happened, on one line. None stands for an entry that cannot be read."""
    if event is None:
        return UNREADABLE
    return clean_line(SENTENCES[type(event)](event), _LONGEST)
