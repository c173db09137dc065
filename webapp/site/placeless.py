"""Originals that leave without their place: what the processor found in them, or a request that it look."""

from typing import Any, NoReturn

from flask import g

from infra.errors import N_, Problem
from tenants import blanks, healing
from tenants.blanks import Blanks
from tenants.catalog import Asset
from webapp.host import writing

IMPOSSIBLE = N_("This video tells all along where it was taken, which cannot be taken out. Ask whoever shared it.")
RETRY_SECONDS = 30
AT_ONCE = 200


def blanks_of(asset_id: str, stored: dict[str, Any] | None) -> Blanks:
    """Raises 503 for an original of before there was such a thing: it is looked at now, and is never sent as it is."""
    found = blanks.of(stored)
    if found is None:
        ask(asset_id)
    return found


def ask(*asset_ids: str) -> NoReturn:
    """Have them, or the first `AT_ONCE` of them, looked at. Raises 503."""
    site = g.site
    with writing():
        healing.again(site, Asset.id.in_(asset_ids[:AT_ONCE]), healing.rested(site), why="place")
    retry = {"Retry-After": str(RETRY_SECONDS)}
    raise Problem("unavailable", N_("This is being made ready to be downloaded. Try again in a minute."), headers=retry)
