"""`flask --app wsgi tenants import`."""

import json
import signal
import threading
from pathlib import Path

import click
from flask.cli import with_appcontext

from infra.errors import Problem
from tenants import catalog
from tenants.commands import fail, friendly, site_of
from tenants.scope import settings
from uploader.importing import gallery, own, plain, takeout
from uploader.importing import settings as taking_over
from uploader.importing.plan import Plan
from uploader.importing.run import Importer, Report
from uploader.importing.source import Source, open_all

FORMATS = ("auto", "plain", "vitrine", "takeout", "lychee", "piwigo")
SHOWN = 20
"""Lines of what was left out; a report file has all of them."""


@click.command("import")
@click.argument("slug")
@click.argument("sources", metavar="SOURCE…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--album", "title", default="", help="Of plain folders: the outermost album's title.")
@click.option("--visibility", type=click.Choice([v.value for v in catalog.Visibility]), help="Of albums that say none.")
@click.option("--settings", "with_settings", is_flag=True, help="Take over name, brand and privacy from an export.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what was left out, as JSON.")
@with_appcontext
@friendly
def import_command(
    slug: str,
    sources: tuple[Path, ...],
    kind: str,
    title: str,
    visibility: str | None,
    with_settings: bool,
    dry_run: bool,
    report: Path | None,
) -> None:
    """Bring albums in from folders, ZIP files, Google Takeout, Lychee, Piwigo, or an export of ours.

    Several sources are taken together. It can be stopped with Ctrl-C and begun again: what is here is not doubled.
    """
    plan = plan_of(open_all(sources), kind, title)
    if not plan.files and not plan.settings:
        raise Problem("invalid", "There are no photos or videos in it.")
    click.echo(f"{plan.format}: {len(plan.albums)} albums, {len(plan.files)} files, {_mib(plan.bytes)}")
    if dry_run:
        _tell(Report(skipped=plan.skipped), report)
        return
    with site_of(slug) as site:
        if not site.entitlements.writable:
            raise Problem("forbidden", "This account is read-only at the moment: nothing can be imported.")
        if with_settings and plan.settings:
            taking_over.take_over(site, plan)
        with click.progressbar(length=max(1, plan.bytes), label="Importing", item_show_func=str, width=24) as bar:
            importer = Importer(site, plan, bar.update, lambda text: bar.update(0, text), _stop_between_files())
            try:
                done = importer.run(visibility=catalog.Visibility(visibility) if visibility else None)
            except Problem:
                _tell(importer.report, report)
                raise
    _tell(done, report)
    if done.stopped:
        fail("stopped. The same command goes on from here.")
    click.echo(settings().site_url(f"{slug}.{settings().base_domain}"))


def plan_of(source: Source, kind: str, title: str = "") -> Plan:
    """Read the source as what it is, or as `kind` says. Raises `Problem` if it is nothing of the kind."""
    root = own.root_of(source) if kind in ("auto", "vitrine") else None
    if root is not None:
        return own.read(source, root)
    if kind == "vitrine":
        raise Problem("invalid", "This is no export of ours: there is no tenant.json of the right kind in it.")
    if kind == "takeout" or (kind == "auto" and takeout.recognised(source)):
        return takeout.read(source)
    found = gallery.find(source) if kind in ("auto", "lychee", "piwigo") else None
    if found is not None:
        return gallery.read(source, *found)
    if kind in ("lychee", "piwigo"):
        raise Problem(
            "invalid", "There is no database of that gallery: put its .sqlite file, or a .sql dump, beside the files."
        )
    return plain.read(source, title)


def _stop_between_files() -> threading.Event:
    """The first Ctrl-C lets the file under way arrive; the second ends at once, as always."""
    stop = threading.Event()

    def asked(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, asked)
    return stop


def _tell(report: Report, file: Path | None) -> None:
    click.echo(
        f"{report.albums} new albums, {report.new} new, {report.known} known already, {len(report.skipped)} left out"
    )
    for line in report.skipped[:SHOWN]:
        click.echo(f"left out: {line.path}: {line.reason}")
    if len(report.skipped) > SHOWN:
        click.echo(f"… and {len(report.skipped) - SHOWN} more; --report FILE lists them all")
    if file is not None:
        lines = [{"path": line.path, "reason": line.reason} for line in report.skipped]
        file.write_text(json.dumps(lines, ensure_ascii=False, indent=1))


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"
