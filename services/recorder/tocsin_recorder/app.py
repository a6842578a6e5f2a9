"""The recorder's wiring: the log and the dead letters in, the timeline's database, its API and its pages out."""

from tocsin_recorder.adapters.api import Api
from tocsin_recorder.adapters.console import Console
from tocsin_recorder.adapters.database import Database
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.log_reader import LogReader
from tocsin_recorder.adapters.orders_api import OrdersApi
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.store import Store
from tocsin_recorder.handlers import Recording
from tocsin_recorder.settings import RecorderSettings
from tocsin_runtime import Host, run

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

    host.route(*OrdersApi(host.orders, host.clock).routes())
    host.route(*Api(queries, live, host.clock).routes(), *Console(queries, host.playbooks, host.clock).routes())

    async def stop() -> None:
        live.close()
        await reader.stop()
        await database.close()

    host.at_stop(stop)


def main() -> int:
    """The recorder as one process."""
    return run(RecorderSettings, build)
