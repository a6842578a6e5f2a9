"""A model of NATS JetStream in memory and virtual time: the broker, and each replica's side of it.

It stands for one server of version 2.15 with file storage that syncs always, and for the client that
`tocsin_runtime` makes of nats-py. `tests/bus/test_broker_is_not_kinder.py` plays the same random scripts and scenes
to a real server and to the model. What is modelled:

| of JetStream | played to a server too |
|---|---|
| sequences, subjects, filters | yes |
| ids within the window; after a restart those of what still stands, for another window | yes |
| a single message: its expectation is looked at first, then its id, then the room | yes |
| a batch: the room first; then of each message its id, then its expectation | yes |
| an expectation sees nothing of its own batch, and fails on a subject the batch wrote to | yes |
| of a batch within which the room ends a part is written, and no answer comes | yes |
| schedules: armed, moved, cancelled, overdue; one may ring 0.25 s late, together with others | yes |
| a schedule due while its stream is full: silent until it is armed again, or a restart | yes |
| work queues; what is too old is dropped | yes; age no |
| a stream in memory is gone after a kill, until somebody declares it | yes |
| ack, nak with and without delay, still working, term; of any delivery of the message | yes |
| so many in hand at most (`max_ack_pending`); what comes again before what is new; in turns | yes |
| a pull request stands for ten seconds while its reader is busy: messages wait with it | yes |
| a reader without a connection asks again and again, and is sent more than it has slots | yes |
| what is sent without a connection is sent when there is one again | yes |
| a kill forgets a consumer's latest changes: as many as `Faults.forgotten` says | yes: the server's are among them |
| followers: in order, from a place on, again after a break | yes |
| the log of incidents, read in pages | yes, short ones |

What is not modelled, so that nobody believes more than is there:

| of JetStream | instead |
|---|---|
| clusters, elections, replicas (they look at the id before the expectation), mirrors, sources | one server |
| power cuts, damaged files | what was acknowledged stays |
| a kill in the middle of a batch (38 tries on a server: never torn) | all or nothing |
| limits in bytes, the size of a message, limits of batches under way | `Stream.room`, in messages |
| users and permissions | everybody may do everything |
| push consumers, ordered ones, flow control, `max_deliver`, back-off | Tocsin uses none |
| consumers that are deleted or changed, streams that are purged | they stand |
| sockets, pings, what a client notices late; FastStream | a connection stands or does not (`Link`) |
| headers and bytes | envelopes are handed over as they are; encoding has tests of its own |
| steps of the server's own clock | steps of the replicas' clocks |
| a server held up, not killed (a slow disk, SIGSTOP) | latency, `Fate.LATE`, silences |
| two requests of one replica at the same time, done in either order | in their order, but for latency |
"""
