"""Who may ask for what, and how they prove it: `docs/operators.md`, from the table of access and of identities."""

import inspect
from collections.abc import Iterator

from tocsin_playbook.access import ACCESSES, LEAST_ACCESS, LONG_SILENCES, includes
from tocsin_recorder.adapters.doing import BY_SLUG
from tocsin_runtime.identities import permissions
from tocsin_schemas import Command
from tocsin_schemas.subjects import command_subject

__all__ = ["operators_page"]

_INTRODUCTION = """# Who may ask for what

*Made from the code by `make docs`; do not edit.*

Before a command is carried out, two are asked: NATS, whether this credential may send it at all, and the incident's
playbook, whether this person may ask for it. Both go by the same table. What is refused is one clear line and exit
status 1. What NATS refuses never arrives. What the playbook refuses is answered on the timeline, with the reason and
the name of who asked.

## The table

There are four kinds of access; each may what those before it may.

"""

_RULES = """
More than one playbook can name somebody. For an incident, its own counts, in the revision that the incident was opened
under. For standing orders (silences, overrides) it is the most that any playbook in force gives them which names them,
and for who is named by none the least that one gives to others.

Whoever has the role `incident_commander` in an incident counts as a commander there. Services are no people: what
they ask for themselves is not asked about.

## Say what somebody may

In the playbook. Who is not said to have another access is a responder:

```yaml
oncall:
  others: viewer # whom `people` does not name
  people:
    - {name: ada, access: commander, contacts: [{channel: slack, address: "@ada"}]}
    - {name: bob, contacts: [{channel: slack, address: "@bob"}]}
```

## Give somebody a credential

On NATS there is an identity for each access. All of them read incidents, dead letters, playbooks and orders there; an
admin also what `tocsin record` needs.

"""

_CREDENTIALS = """
The identity `operator`, as which the command line comes to a Tocsin in a folder of this computer, may do what an admin
may.

| where NATS is | the password of `responder`, for example |
|---|---|
| `tocsin up` | in `.tocsin/identities.json`, made on the first start |
| `docker compose` | the file `deploy/secrets/nats_responder`, made by `deploy/make-secrets` |
| a server of your own | in what `tocsin nats-config` prints, to be put into its configuration |

Whoever is given it sets, with their own addresses:

```sh
export TOCSIN_NATS_URL=nats://127.0.0.1:4222 TOCSIN_CONSOLE_URL=http://127.0.0.1:7300
export TOCSIN_NATS_USER=responder TOCSIN_NATS_PASSWORD_FILE=~/tocsin-password
export TOCSIN_USER=ada
tocsin incidents --active
```

A credential is for an access, not for a person, and the name in `TOCSIN_USER` is believed. So give each person the
credential of the access that they have, and no higher one: whatever name is typed, NATS refuses what the credential
does not allow. That holds for the commander of an incident too: with the credential of a responder they cannot send
what asks for a commander. Silences are the exception: how long one lasts is asked of the playbook only.

To take a credential back, give that identity a new password and everybody else who has it the new one: delete its line
in `identities.json` and start `tocsin up` again, or delete its file, run `deploy/make-secrets` and start the containers
anew.
"""


_OVER_HTTP = """
## Over HTTP and in the console

Here each person has an access token of their own, and the name it was made for is who asks: it stands on the timeline.
What they may ask for is what the playbook gives them, as above.

```sh
tocsin tokens add ada              # prints the token, only this once: `tocsin up` keeps its hash in .tocsin/tokens
tocsin tokens add ada --replace    # another one in its place
tocsin tokens list
tocsin tokens revoke ada           # it lets nobody in any more, and ends their sessions in the console
```

A service of your own reads the file that `TOCSIN_TOKENS_PATH` names (`tocsin tokens add ada --file PATH` writes it),
and reads it again when it changes. As long as there is none, nobody can ask for anything over HTTP. A program gets a
token with a name of its own; where the playbook does not name it among `people`, it may what `others` may.

**The console.** "Sign in" at its top right takes the token. On an incident's page there is then what makes sense where
it stands: acknowledge, take over, update, note, escalate, can't take it, severity, resolve, reopen. A session lasts
twelve hours. Give the console an encrypted address (a proxy with TLS) before anybody signs in from another computer.

**The API.** `POST /api/v1/commands/COMMAND`, at the console's address:

```sh
curl http://127.0.0.1:7300/api/v1/commands/acknowledge --header "Authorization: Bearer $TOKEN" \\
  --header "Idempotency-Key: page-17" --json '{"incident": "k3vq7d", "lasting": "PT30M"}'
```

The body has the fields of the command, as they are listed below; those in brackets may be left out. The beginning of an
incident's id is enough; durations are ISO 8601, times RFC 3339. The same command with the same `Idempotency-Key` is
done once, and answered with what came of it the first time.

| status | means |
| --- | --- |
| 200 | done, now or by an earlier request with this key; the events, each with its sentence |
| 202 | nobody has carried it out yet; it stays queued |
| 400, 413, 415 | the request cannot be read: no JSON object, more than 64 KiB, another type than `application/json` |
| 401 | no access token, or one that lets nobody in |
| 403 | the playbook does not allow it to this person |
| 404 | no such incident, no such command |
| 409 | it cannot be as things stand, or the id begins several incidents; with the reason |
| 422 | a field is missing or wrong; `field` names it |
| 503 | NATS did not confirm it: send it again with the same key after `Retry-After` |

"""


def operators_page() -> str:
    """The page as Markdown."""
    return "".join(
        [_INTRODUCTION, *_table(), *_silences(), _RULES, *_identities(), _CREDENTIALS, _OVER_HTTP, *_paths()]
    )


def _paths() -> Iterator[str]:
    yield "| command | fields |\n| --- | --- |\n"
    for slug, command in BY_SLUG.items():
        fields = [
            f"`{name}`" if field.is_required() else f"[`{name}`]"
            for name, field in command.model_fields.items()
            if name != "by"
        ]
        yield f"| `{slug}` | {', '.join(fields)} |\n"


def _table() -> Iterator[str]:
    yield f"| command | does | {' | '.join(ACCESSES)} |\n| --- | --- |{' :---: |' * len(ACCESSES)}\n"
    for command, least in LEAST_ACCESS.items():
        marks = " | ".join("yes" if includes(access, least) else "" for access in ACCESSES)
        yield f"| `{command.__name__}` | {_meaning(command)} | {marks} |\n"


def _silences() -> Iterator[str]:
    yield "\nA silence that ends later than this from now asks for more:\n\n| later than | least |\n| --- | --- |\n"
    for longer in reversed(LONG_SILENCES):
        yield f"| {longer.words} | {longer.access} |\n"


def _identities() -> Iterator[str]:
    yield "| identity | may send |\n| --- | --- |\n"
    for access in ACCESSES:
        said = [subject for subject in permissions(access)["publish"]["allow"] if subject.startswith("tocsin.")]
        each = [command for command in LEAST_ACCESS if command_subject(command) in said]
        rest = [f"`{subject}`" for subject in said if subject not in map(command_subject, each)]
        counted = [f"its {len(each)} commands of the table"] if each else []
        yield f"| `{access}` | {', '.join(counted + rest) or 'nothing'} |\n"


def _meaning(command: type[Command]) -> str:
    return (inspect.getdoc(command) or "").partition("\n")[0].replace("|", "\\|").removesuffix(".")
