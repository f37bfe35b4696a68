"""What an operator does with keys, beside the database: the first one of a tenant is made here, and nowhere else."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta

from backpropd import errors
from backpropd.config import Settings
from backpropd.store import audit, keys
from backpropd.store.sql.database import Database
from service.auth.principal import LOCAL

OPERATOR = "operator"  # in the audit trail
A_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
PAGE = 100
MOST_DAYS = 36_500


def add_commands(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys create | list | rotate | revoke` and `audit` to the program."""
    verbs = programs.add_parser("keys", help="API keys").add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="make a key; its text is printed this one time, on standard output")
    create.add_argument("--name")
    create.add_argument("--scopes", default="admin", help="read, write (includes read), admin (includes both); commas")
    create.add_argument("--days", type=float, help="how long it is good for; for ever if left out")
    create.set_defaults(run=_create)
    show = verbs.add_parser("list", help="list a tenant's keys, newest first")
    show.set_defaults(run=_list)
    rotate = verbs.add_parser("rotate", help="give a key a new text, printed this one time")
    rotate.add_argument("key_id")
    rotate.add_argument("--overlap-seconds", type=int, default=0, help="how long the text before counts too")
    rotate.set_defaults(run=_rotate)
    revoke = verbs.add_parser("revoke", help="let a key count no more")
    revoke.add_argument("key_id")
    revoke.set_defaults(run=_revoke)
    for verb in (create, show, rotate, revoke):
        verb.add_argument("--tenant", default=LOCAL, help=f"whose; {LOCAL}, that of the mode without keys, by default")
    trail = programs.add_parser("audit", help="print who did what to which key, and deleted what, oldest first")
    trail.add_argument("--tenant", help="of one tenant alone")
    trail.set_defaults(run=_audit)


def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Do what the arguments say, on the database that the settings name."""
    if arguments.tenant is not None and not A_TENANT.fullmatch(arguments.tenant):
        raise errors.Invalid("a tenant's name has lower-case letters, digits, - and _, and at most 63 of them")
    database = Database(settings.database_url)
    try:
        arguments.run(database, arguments)
    finally:
        database.dispose()


def _create(database: Database, arguments: argparse.Namespace) -> None:
    scopes = arguments.scopes.split(",")
    if unknown := set(scopes) - set(keys.SCOPES):
        raise errors.Invalid(f"there is no scope {min(unknown)!r}: choose of {', '.join(keys.SCOPES)}")
    if arguments.days is not None and not 0 < arguments.days <= MOST_DAYS:
        raise errors.Invalid(f"--days takes more than 0 and at most {MOST_DAYS}; left out, the key is good for ever")
    expires_at = datetime.now(UTC) + timedelta(days=arguments.days) if arguments.days else None
    with database.write() as session:
        key, token = keys.create(session, arguments.tenant, arguments.name, scopes, expires_at)
        audit.record(session, arguments.tenant, OPERATOR, "keys.create", key.id)
    _show(token, f"{key.id} of tenant {key.tenant}, with {', '.join(key.scopes)}")


def _list(database: Database, arguments: argparse.Namespace) -> None:
    cursor = None
    while True:
        with database.read() as session:
            page = keys.list_page(session, arguments.tenant, PAGE, cursor)
        for key in page.rows:
            times = f"made {_day(key.created_at)}  expires {_day(key.expires_at)}  used {_day(key.last_used_at)}"
            print(f"{key.id}  {','.join(key.scopes):<16}  {times}  {key.name or ''}")
        if (cursor := page.next_cursor) is None:
            return


def _rotate(database: Database, arguments: argparse.Namespace) -> None:
    with database.write() as session:
        key, token = keys.rotate(session, arguments.tenant, arguments.key_id, arguments.overlap_seconds)
        audit.record(session, arguments.tenant, OPERATOR, "keys.rotate", key.id)
    _show(token, f"{key.id} has a new text")


def _revoke(database: Database, arguments: argparse.Namespace) -> None:
    with database.write() as session:
        keys.revoke(session, arguments.tenant, arguments.key_id)
        audit.record(session, arguments.tenant, OPERATOR, "keys.revoke", arguments.key_id)
    print(f"{arguments.key_id} lets nobody in any more", file=sys.stderr)


def _audit(database: Database, arguments: argparse.Namespace) -> None:
    number = 0
    while True:
        with database.read() as session:
            found = audit.after(session, arguments.tenant, number, PAGE)
        for deed in found:
            print(f"{deed.at:%Y-%m-%dT%H:%M:%SZ}  {deed.tenant}  {deed.actor}  {deed.action}  {deed.subject}")
        if len(found) < PAGE:
            return
        number = found[-1].number


def _show(token: str, about: str) -> None:
    """The text alone on standard output, for a variable or a file; the rest for the one who reads."""
    print(f"{about}. Keep this, it is not shown again:", file=sys.stderr)
    print(token)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "never"
