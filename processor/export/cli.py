"""`flask --app wsgi tenants export`."""

import os
from pathlib import Path

import click
from flask.cli import with_appcontext

from infra.errors import Problem
from processor.export.content import Box
from tenants.commands import friendly, site_of
from tenants.names import new_id


@click.command("export")
@click.argument("slug")
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@with_appcontext
@friendly
def export_command(slug: str, target: Path, force: bool) -> None:
    """Write a whole tenant into a ZIP file: originals, what is known of them, and pages that open offline."""
    if target.exists() and not force:
        raise Problem("conflict", f"{target} is there already. Choose another name, or say --force.")
    part = target.with_name(f".{target.name}.part")
    with site_of(slug) as site, click.progressbar(length=1, label="Exporting", width=24, item_show_func=str) as bar:

        def told(done: int, total: int) -> None:
            bar.length = max(1, total)
            bar.update(done - bar.pos, f"{done}/{total}")

        box = Box(site, new_id(), told)
        try:
            with part.open("wb") as file:
                for piece in box.parts():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    for line in box.missing:
        click.echo(f"not whole: {line}")
    click.echo(f"{target}: {box.done} files, {target.stat().st_size / 1024 / 1024:.1f} MiB")
