"""The recorder's wiring: log and dead letters in; the timeline's database, its API and pages, and commands out."""

from tocsin_recorder.adapters.acting import Acting
from tocsin_recorder.adapters.api import Api
from tocsin_recorder.adapters.commands_api import CommandsApi
from tocsin_recorder.adapters.console import Console
from tocsin_recorder.adapters.database import Database
from tocsin_recorder.adapters.doing import Doing
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.log_reader import LogReader
from tocsin_recorder.adapters.orders_api import OrdersApi
from tocsin_recorder.adapters.pages import Pages
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.sessions import Sessions
from tocsin_recorder.adapters.store import Store
from tocsin_recorder.handlers import Recording
from tocsin_recorder.settings import RecorderSettings
from tocsin_runtime import Host, run
from tocsin_runtime.asking import Asking
from tocsin_runtime.tokens import Tokens

__all__ = ["build", "main"]


def build(host: Host[RecorderSettings]) -> None:
    """Connect everything."""
    settings = host.settings
    database = Database(settings.database_url.get_secret_value())
    store, queries, live = Store(database), Queries(database), LiveFeed(settings.live_readers)
    recording = Recording(store, live, host.clock)

    host.at_start(database.open)
    reader = LogReader(host, store, recording.on_events, recording.on_dead_letters)
    host.ready_when("database", recording.problem)
    host.ready_when("timeline", reader.problem)

    tokens = Tokens(settings.tokens_path)
    doing = Doing(Asking(host.connection, host.service, orders=host.orders), queries)
    sessions, pages = Sessions(tokens, host.clock), Pages()

    host.route(*OrdersApi(host.orders, host.clock).routes(), *CommandsApi(doing, tokens).routes())
    host.route(*Api(queries, live, host.clock).routes())
    host.route(*Acting(doing, queries, sessions, pages, host.clock, reader.reach).routes())
    host.route(*Console(queries, host.playbooks, sessions, pages, host.clock).routes())

    async def stop() -> None:
        live.close()
        await reader.stop()
        await database.close()

    host.at_stop(stop)


def main() -> int:
    """The recorder as one process."""
    return run(RecorderSettings, build)
