"""A playbook from which nothing leaves: every channel is the terminal, nothing is acted upon, nothing is watched."""

import json
from dataclasses import replace

from tocsin_playbook import revision_of
from tocsin_playbook.document import read_document, to_data
from tocsin_playbook.model.channels import CHANNEL_KINDS
from tocsin_rehearsal.recording.inputs import Input, Inputs
from tocsin_schemas import PlaybookPublished, PlaybookRef

__all__ = ["harmless", "harmless_inputs"]

_GONE = ("sources", "detect", "remediate")
"""What reaches out by itself: scraping and probing, and runbooks. Alerts come from the recording."""


def harmless(text: str, *, source: str = "playbook.yaml") -> str:
    """The playbook as it decides about incidents, and no more: who is paged and when is as it was.

    Raises PlaybookError where the text cannot be read.
    """
    document = to_data(read_document(text, source))
    if not isinstance(document, dict):
        return text  # whoever loads it says what is wrong
    for section in _GONE:
        document.pop(section, None)
    communicate = document.get("communicate")
    if isinstance(communicate, dict):
        channels = communicate.get("channels")
        for channel in channels if isinstance(channels, list) else ():
            if isinstance(channel, dict):
                for kind in CHANNEL_KINDS:
                    channel.pop(kind, None)
                channel["console"] = {"prefix": f"[{channel.get('name')}]"}
        status_page = communicate.get("status_page")
        if isinstance(status_page, dict):
            status_page.pop("statuspage_io", None)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def harmless_inputs(inputs: Inputs) -> tuple[Inputs, dict[PlaybookRef, PlaybookRef]]:
    """The inputs with harmless playbooks and without commands about actions; and which revision stands for which."""
    revisions: dict[PlaybookRef, PlaybookRef] = {}

    def without_consequences(given: Input) -> Input:
        data = given.envelope.data
        if not isinstance(data, PlaybookPublished):
            return given
        text = harmless(data.text, source=data.playbook.name)
        ref = PlaybookRef(name=data.playbook.name, revision=revision_of(text))
        revisions[ref] = data.playbook
        return replace(given, envelope=replace(given.envelope, data=PlaybookPublished(playbook=ref, text=text)))

    kept = inputs.without_actions()
    changed = replace(
        kept,
        playbooks=tuple(map(without_consequences, kept.playbooks)),
        messages=tuple(map(without_consequences, kept.messages)),
    )
    return changed, revisions
