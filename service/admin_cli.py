"""The operator's commands: keys, tenants, the audit trail. A tenant's first key comes from here."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timedelta

from backpropd import errors
from backpropd.config import Settings
from backpropd.store import audit, keys
from backpropd.store.sql.database import Database
from service import tenants_cli
from service.auth.principal import LOCAL, OPERATOR

TENANT_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
PAGE_SIZE = 100
MAX_DAYS = 36_500


def add_commands(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys create | list | rotate | revoke`, `audit`, and the commands of `tenants` to the program."""
    verbs = programs.add_parser("keys", help="API keys").add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="create a key; its secret is printed once, on standard output")
    create.add_argument("--name")
    create.add_argument("--scopes", default="admin", help="read, write (includes read), admin (includes both); commas")
    create.add_argument("--days", type=float, help="how long it is valid; without it, it never expires")
    create.set_defaults(run=_create)
    list_ = verbs.add_parser("list", help="list a tenant's keys, newest first")
    list_.set_defaults(run=_list)
    rotate = verbs.add_parser("rotate", help="give a key a new secret, printed once")
    rotate.add_argument("key_id")
    rotate.add_argument("--overlap-seconds", type=int, default=0, help="how long the old secret stays valid")
    rotate.set_defaults(run=_rotate)
    revoke = verbs.add_parser("revoke", help="revoke a key at once")
    revoke.add_argument("key_id")
    revoke.set_defaults(run=_revoke)
    for verb in (create, list_, rotate, revoke):
        verb.add_argument("--tenant", default=LOCAL, help=f"by default {LOCAL}, the tenant of the mode without keys")
    tenants_cli.add_commands(programs)
    audit_ = programs.add_parser("audit", help="print who did what to which key, and deleted what, oldest first")
    audit_.add_argument("--tenant", help="of this tenant only")
    audit_.set_defaults(run=_audit)


def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Run the command that the arguments name, on the database of the settings."""
    if arguments.tenant is not None and not TENANT_PATTERN.fullmatch(arguments.tenant):
        raise errors.Invalid("a tenant's name has at most 63 lower-case letters, digits, - and _")
    database = Database(settings.database_url)
    try:
        arguments.settings = settings
        arguments.run(database, arguments)
    finally:
        database.dispose()


def _create(database: Database, arguments: argparse.Namespace) -> None:
    scopes = arguments.scopes.split(",")
    if unknown := set(scopes) - set(keys.SCOPES):
        raise errors.Invalid(f"there is no scope {min(unknown)!r}: choose from {', '.join(keys.SCOPES)}")
    if arguments.days is not None and not 0 < arguments.days <= MAX_DAYS:
        raise errors.Invalid(f"--days must be above 0 and at most {MAX_DAYS}; without it the key never expires")
    with database.write() as session:
        key, token = keys.create(session, arguments.tenant, arguments.name, scopes, None)
        if arguments.days:
            key.expires_at = key.created_at + timedelta(days=arguments.days)  # on the database's clock
        audit.record(session, arguments.tenant, OPERATOR, "keys.create", key.id)
    _print_secret(token, f"{key.id} of tenant {key.tenant}, with {', '.join(key.scopes)}")


def _list(database: Database, arguments: argparse.Namespace) -> None:
    cursor = None
    while True:
        with database.read() as session:
            page = keys.list_page(session, arguments.tenant, PAGE_SIZE, cursor)
        for key in page.rows:
            times = f"created {_day(key.created_at)}  expires {_day(key.expires_at)}  used {_day(key.last_used_at)}"
            print(f"{key.id}  {','.join(key.scopes):<16}  {times}  {key.name or ''}")
        if (cursor := page.next_cursor) is None:
            return


def _rotate(database: Database, arguments: argparse.Namespace) -> None:
    with database.write() as session:
        key, token = keys.rotate(session, arguments.tenant, arguments.key_id, arguments.overlap_seconds)
        audit.record(session, arguments.tenant, OPERATOR, "keys.rotate", key.id)
    _print_secret(token, f"{key.id} has a new secret")


def _revoke(database: Database, arguments: argparse.Namespace) -> None:
    with database.write() as session:
        keys.revoke(session, arguments.tenant, arguments.key_id)
        audit.record(session, arguments.tenant, OPERATOR, "keys.revoke", arguments.key_id)
    print(f"{arguments.key_id} is revoked", file=sys.stderr)


def _audit(database: Database, arguments: argparse.Namespace) -> None:
    number = 0
    while True:
        with database.read() as session:
            if arguments.tenant is None:
                found = audit.after_number(session, number, PAGE_SIZE)
            else:
                found = audit.after(session, arguments.tenant, number, PAGE_SIZE)
        for entry in found:
            print(f"{entry.at:%Y-%m-%dT%H:%M:%SZ}  {entry.tenant}  {entry.actor}  {entry.action}  {entry.subject}")
        if len(found) < PAGE_SIZE:
            return
        number = found[-1].number if arguments.tenant is None else found[-1].entry


def _print_secret(token: str, about: str) -> None:
    """Only the secret goes to standard output, for a variable or a file."""
    print(f"{about}. Store this secret, it is not shown again:", file=sys.stderr)
    print(token)


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "never"
