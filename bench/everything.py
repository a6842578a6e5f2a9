"""`tocsin up` as a process, with a Slack double beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin.demo.stage import Tocsin
from tocsin_testkit.receivers.slack import SlackDouble

TOKEN = "xoxb-bench"

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: bench}}
severities:
  - {{name: P1, acknowledge_within: 15m, automation: "off"}}
group: {{by: [service]}}
oncall:
  people:
    - name: ada
      contacts: [{{channel: slack, address: "#incidents"}}]
escalate:
  - severities: [P1]
    levels: [{{after: 0s, notify: ["person:ada"]}}]
communicate:
  channels:
    - name: slack
      slack: {{url: "{slack}", token: {{env: TOCSIN_SLACK_TOKEN}}}}
      rate_limit: {{messages: 10000, per: 1s}}
"""


@contextmanager
def prepared() -> Iterator[tuple[Tocsin, SlackDouble]]:
    """Not started yet."""
    os.environ["TOCSIN_SLACK_TOKEN"] = TOKEN
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as people run Python: a second start compiles nothing
    temporary = TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True)
    with temporary as name, SlackDouble(token=TOKEN) as slack:
        folder = Path(name)
        playbook = folder / "playbook.yaml"
        playbook.write_text(PLAYBOOK.format(slack=slack.api_url), encoding="utf-8")
        up = Tocsin(folder, playbook)
        try:
            yield up, slack
        finally:
            up.stop()
