"""The operator's commands for tenants: list, set their weights, limit, export and delete them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from backpropd import errors
from backpropd.store import audit, tenant_erasure, tenant_export
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import tenants
from backpropd.store.sql.database import Database
from service.auth.principal import OPERATOR

DEFAULT = "default"  # instead of a number: the service's limit


def add_commands(programs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `tenants list | weight | limit | export | delete` to the program."""
    verbs = programs.add_parser("tenants", help="tenants").add_subparsers(dest="verb", required=True)
    list_ = verbs.add_parser("list", help="list all tenants: weights, limits of their own, jobs, and what they store")
    list_.set_defaults(run=_list, tenant=None)
    weight = verbs.add_parser("weight", help="give a tenant a weight: twice the weight is twice as many turns")
    weight.set_defaults(run=_weight)
    limit = verbs.add_parser("limit", help="give a tenant limits of its own, instead of those of the settings")
    limit.set_defaults(run=_limit)
    export = verbs.add_parser("export", help="write all that a tenant has to a ZIP file")
    export.set_defaults(run=_export)
    delete = verbs.add_parser("delete", help="delete a tenant: its keys, data, jobs, models and audit entries")
    delete.set_defaults(run=_delete)
    for verb in (weight, limit, export, delete):
        verb.add_argument("tenant")
    weight.add_argument("weight", type=float, help="1 for every tenant at first")
    for name in tenants.LIMITS:
        limit.add_argument(
            f"--{name.replace('_', '-')}", metavar="NUMBER", help=f"or `{DEFAULT}`: that of the settings"
        )
    export.add_argument("file", type=Path, help="which does not exist yet")
    delete.add_argument("--yes", action="store_true", help="it cannot be undone: without this, nothing is deleted")


def _list(database: Database, arguments: argparse.Namespace) -> None:
    with database.read() as session:
        for row in tenants.overview(session):
            has = row.usage
            limits = "".join(f"  {name} at most {limit}" for name, limit in row.limits.items())
            print(
                f"{row.tenant:<24}  weight {row.weight:.4g}  queued {row.queued}  running {row.running}  "
                f"jobs {has.jobs}  datasets {has.datasets}  models {has.models}  bytes {has.bytes}{limits}"
            )


def _weight(database: Database, arguments: argparse.Namespace) -> None:
    with database.write() as session:
        tenants.set_weight(session, arguments.tenant, arguments.weight)
        audit.record(session, arguments.tenant, OPERATOR, "tenants.weight", f"{arguments.weight:g}")
    print(f"{arguments.tenant} has the weight {arguments.weight:g}", file=sys.stderr)


def _limit(database: Database, arguments: argparse.Namespace) -> None:
    given = {name: getattr(arguments, name) for name in tenants.LIMITS if getattr(arguments, name) is not None}
    if not given:
        raise errors.Invalid("name a limit, such as --queued-jobs 100")
    limits = {name: _number(name, text) for name, text in given.items()}
    about = " ".join(f"{name}={text}" for name, text in given.items())
    with database.write() as session:
        tenants.set_limits(session, arguments.tenant, limits)
        audit.record(session, arguments.tenant, OPERATOR, "tenants.limit", about)
    print(f"{arguments.tenant} has the limits {about}", file=sys.stderr)


def _number(name: str, text: str) -> int | None:
    if text == DEFAULT:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise errors.Invalid(f"the limit {name} is a whole number or `{DEFAULT}`, not {text!r}") from error


def _export(database: Database, arguments: argparse.Namespace) -> None:
    missing = tenant_export.export(database, _blobs(arguments), arguments.tenant, arguments.file)
    print(f"{arguments.file} has all that {arguments.tenant} stores", file=sys.stderr)
    if missing:
        raise errors.BlobMissing(f"but the stored bytes of {', '.join(missing)} are missing or damaged")


def _delete(database: Database, arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        raise errors.Invalid(f"add --yes to delete {arguments.tenant} and all that it has: it cannot be undone")
    deleted = tenant_erasure.erase(database, _blobs(arguments), arguments.tenant, OPERATOR)
    about = ", ".join(f"{count} of {table}" for table, count in deleted.items()) or "nothing: it has been erased before"
    print(f"deleted {about}. If requests of {arguments.tenant} were in progress, run it again later", file=sys.stderr)


def _blobs(arguments: argparse.Namespace) -> Blobs:
    settings = arguments.settings
    return Blobs(settings.blobs_url, settings.data_dir / "scratch")
