"""Recording a stretch of the streams, reading it back, replaying it, and comparing what was decided.

    await record(connection, since=since, incident=None, out=Path("night.jsonl.gz"))
    inputs = inputs_of(read(Path("night.jsonl.gz")))
    await replay(inputs, connection, speed=60, run=new_run(connection))
    differences = compare(inputs.events, decided)

`compare` and `inputs_of` do no I/O; the simulator uses them as well.
"""

from tocsin_rehearsal.recording.compare import Difference, compare, without_actions
from tocsin_rehearsal.recording.files import CutRecordingError, RecordingError, RecordingFile, read, read_meta
from tocsin_rehearsal.recording.format import LineError, Meta, Recorded
from tocsin_rehearsal.recording.harmless import harmless, harmless_inputs
from tocsin_rehearsal.recording.inputs import Input, Inputs, inputs_of
from tocsin_rehearsal.recording.record import RECORDED_STREAMS, Stretch, record
from tocsin_rehearsal.recording.replay import MAX_SPEED, Replayed, describe, new_run, parse_speed, replay

__all__ = [
    "MAX_SPEED", "RECORDED_STREAMS", "CutRecordingError", "Difference", "Input", "Inputs", "LineError", "Meta",
    "Recorded", "RecordingError", "RecordingFile", "Replayed", "Stretch", "compare", "describe", "harmless",
    "harmless_inputs", "inputs_of", "new_run", "parse_speed", "read", "read_meta", "record", "replay",
    "without_actions",
]  # fmt: skip
