"""The words of a message: the playbook's own where it has them, ours otherwise, few plain ones if all else fails."""

import structlog

from tocsin_notifier.adapters.templates import TemplateProblemError, render_template
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.message import Message, with_text
from tocsin_notifier.core.plan import Notification
from tocsin_notifier.core.render import bare, render
from tocsin_notifier.core.scene import Scene
from tocsin_notifier.core.template_facts import template_facts
from tocsin_notifier.metrics import FALLBACK_TEXTS
from tocsin_playbook import Playbook
from tocsin_runtime import Clock

__all__ = ["Writer"]

log = structlog.get_logger(__name__)


class Writer:
    """Writes messages; never fails."""

    def __init__(self, clock: Clock, console_url: str = "") -> None:
        self._clock = clock
        self._console_url = console_url

    def write(self, incident: Incident, notification: Notification, playbook: Playbook) -> Message:
        """The message for a recipient, as the incident stands."""
        scene = Scene(incident, notification, playbook, self._clock.now(), self._console_url)
        try:
            message = render(scene)
            template = playbook.communicate.templates.get(notification.kind)
            return message if template is None else _in_their_words(message, template, scene)
        except Exception as error:  # noqa: BLE001  # a page must go out, whatever we did wrong in wording it; tested
            FALLBACK_TEXTS.labels("error").inc()
            log.error("a message could not be worded", kind=notification.kind, error=repr(error)[:300])
            return bare(incident, notification)


def _in_their_words(message: Message, template: str, scene: Scene) -> Message:
    try:
        return with_text(message, render_template(template, template_facts(scene)))
    except TemplateProblemError as error:
        FALLBACK_TEXTS.labels("template").inc()
        log.warning(
            "a template of the playbook cannot be used; the built-in text is sent",
            playbook=scene.playbook.metadata.name,
            template=message.kind,
            reason=str(error),
        )
        return message
