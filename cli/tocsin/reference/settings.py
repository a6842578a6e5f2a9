"""The settings reference: `docs/settings.md`."""

from tocsin.services import SERVICES, settings_of
from tocsin_runtime.settings import ServiceSettings, describe

__all__ = ["settings_page"]


def settings_page() -> str:
    """The page as Markdown."""
    parts = [
        "# Settings\n\n*Made from the code by `make docs`; do not edit. The same is printed by `tocsin settings`.*\n\n"
        "Settings come from the environment. `TOCSIN_<NAME>` is for all services, `TOCSIN_<SERVICE>_<NAME>` for one "
        "and wins. Any of them can be read from a file: `TOCSIN_NATS_PASSWORD_FILE=/run/secrets/nats`.\n",
        "\n## All services\n\n",
        _table(list(describe(ServiceSettings))),
    ]
    common = set(ServiceSettings.model_fields)
    for service in SERVICES:
        model = settings_of(service)
        default_port = model.model_fields["http_port"].default
        own = [row for name, row in zip(model.model_fields, describe(model), strict=True) if name not in common]
        parts.append(f"\n## {service}\n\nHTTP port {default_port} unless set otherwise.\n\n")
        if own:
            parts.append(_table(own))
    return "".join(parts)


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = ["| variable | default | meaning |\n| --- | --- | --- |\n"]
    lines += [f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |\n" for name, default, meaning in rows]
    return "".join(lines)
