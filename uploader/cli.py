"""`flask --app wsgi relay`, `sweep` and `import`."""

import signal
import threading
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from structlog.contextvars import bind_contextvars

from infra.errors import Problem
from tenants import catalog
from tenants.cli import tenants as tenants_group
from tenants.commands import friendly, site_of
from tenants.scope import Site, settings
from uploader import folder, placing, relay, sweep
from uploader.importing import cli as importing

_POLL_SECONDS = 0.5


def register(app: Flask) -> None:
    for command in (relay_command, sweep_command, import_command):
        app.cli.add_command(command)
    tenants_group.add_command(importing.import_command)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@click.command("relay")
@click.option("--once", is_flag=True, help="Send what is pending, then end.")
@with_appcontext
def relay_command(once: bool) -> None:
    """Copy originals that are asked for, send outbox messages to the job queue, and sweep now and then."""
    if once:
        while placing.place_once():
            pass
        click.echo(f"sent {relay.relay_once()}")
    else:
        bind_contextvars(fleet="relay")
        stop = _stop_on_signals()
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy of this thread's
        # A daemon: an end in the midst of a copy loses nothing, the row is still there.
        threading.Thread(target=placing.run, args=(app, stop), name="placing", daemon=True).start()
        relay.run(stop)


@click.command("sweep")
@click.option("--loop", is_flag=True, help="Again every five minutes until stopped.")
@with_appcontext
def sweep_command(loop: bool) -> None:
    """Finish, expire and tidy up uploads."""
    stop = _stop_on_signals() if loop else threading.Event()
    while True:
        done = sweep.sweep_all()
        click.echo(", ".join(f"{count} {kind}" for kind, count in sorted(done.items())) or "nothing to sweep")
        if not loop or stop.wait(relay.SWEEP_SECONDS):
            return


@click.command("import")
@click.argument("tenant_slug")
@click.argument("source", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--album", "title", default="", help="Album title; the folder's name by default. Made if missing.")
@click.option("--visibility", type=click.Choice([v.value for v in catalog.Visibility]), default="private")
@click.option("--originals", is_flag=True, help="Let viewers download originals.")
@click.option("--wait", is_flag=True, help="Until everything is processed.")
@with_appcontext
@friendly
def import_command(tenant_slug: str, source: Path, title: str, visibility: str, originals: bool, wait: bool) -> None:
    """Bring a folder of photos and videos into an album. Running it twice brings in nothing twice."""
    paths = folder.media_files(source)
    if not paths:
        raise Problem("invalid", f"There are no photos or videos in {source}.")
    with site_of(tenant_slug) as site:
        album = folder.album_titled(
            site,
            title or source.resolve().name,
            visibility=catalog.Visibility(visibility),
            originals=originals,
        )
        album_id, slug = album.id, album.slug
        site.session.rollback()
        _bring_in_all(site, album_id, paths)
        if wait:
            _wait(site, album_id)
        for filename, reason in folder.refused(site, album_id):
            click.echo(f"refused: {filename}: {reason}")
        click.echo(f"{settings().site_url(f'{tenant_slug}.{settings().base_domain}')}/a/{slug}")


def _bring_in_all(site: Site, album_id: str, paths: list[Path]) -> None:
    sizes = [path.stat().st_size for path in paths]
    new = 0
    problems: list[str] = []
    with click.progressbar(
        length=sum(sizes), label=f"Importing {len(paths)} files", item_show_func=str, width=24
    ) as bar:
        for number, path in enumerate(paths, 1):
            bar.update(0, f"{number}/{len(paths)} {path.name}")
            try:
                new += folder.bring_in(site, album_id, path, bar.update) is not None
            except Problem as problem:
                if problem.code == "disk-full":
                    raise
                problems.append(f"refused: {path.name}: {problem.detail or problem.title}")
    click.echo(f"{new} new, {len(paths) - new - len(problems)} known already, {_mib(sum(sizes))}")
    for line in problems:
        click.echo(line)


def _wait(site: Site, album_id: str) -> None:
    """Until every asset of the album is in a final state."""
    stop = _stop_on_signals()
    with click.progressbar(length=1, label="Processing", item_show_func=str, width=24, show_eta=False) as bar:
        while not stop.is_set():
            state = folder.progress(site, album_id)
            # Finished ones count in full, whatever percent they ended on.
            bar.length = max(1, 100 * state.total)
            bar.pos = min(max(state.percent, 100 * state.done), bar.length)
            bar.update(0, f"{state.done}/{state.total}")
            if state.done == state.total:
                return
            stop.wait(_POLL_SECONDS)


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"
