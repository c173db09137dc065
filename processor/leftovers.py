"""Objects, rows and folders that nothing refers to any more: what killed workers and finished generations leave."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import delete, select

from infra.ports import BlobInfo
from infra.sql import reading
from processor.jobs import scratch_root
from tenants.catalog import Asset, AssetState, Rendition
from tenants.db import across_tenants, db
from tenants.names import (
    generation_prefix,
    is_id,
    original_prefix,
    originals_root,
    renditions_prefix,
    renditions_root,
)
from tenants.scope import Site, ports


def superseded(site: Site, grace: timedelta) -> int:
    """Remove generations beside the shown one of assets that were READY `grace` ago; how many.

    Rows go first: an object without a row is found by `renditions`, a row without its object would be a broken picture.
    """
    old = (
        select(Rendition.asset_id, Rendition.generation)
        .join(Asset, (Asset.tenant_id == Rendition.tenant_id) & (Asset.id == Rendition.asset_id))
        .where(
            Rendition.generation != Asset.generation,
            Asset.state == AssetState.READY,
            Asset.ready_at < site.now() - grace,
        )
        .distinct()
    )
    with reading():
        found = site.session.execute(old).all()
        site.session.rollback()
    for asset_id, generation in found:
        site.session.execute(
            delete(Rendition)
            .where(
                Rendition.tenant_id == site.tenant_id,
                Rendition.asset_id == asset_id,
                Rendition.generation == generation,
            )
            .execution_options(synchronize_session=False)
        )
        site.session.commit()
        site.blobs.delete_prefix(generation_prefix(site.tenant_id, asset_id, generation))
    return len(found)


def renditions(site: Site, grace: timedelta) -> int:
    """Remove objects of generations that have no row and no worker, once they are `grace` old; objects removed."""
    with reading():
        shown = select(Rendition.asset_id, Rendition.generation).distinct()
        held = select(Asset.id, Asset.fence).where(Asset.leased_until > site.now())
        known = {(asset, generation) for query in (shown, held) for asset, generation in site.session.execute(query)}
        site.session.rollback()

    def is_known(path: list[str]) -> bool:
        return len(path) > 2 and path[1].isdecimal() and (path[0], int(path[1])) in known

    return _remove(site, renditions_root(site.tenant_id), 2, is_known, grace)


def originals(site: Site, grace: timedelta) -> int:
    """Remove originals that no asset's row names, deleted ones included, once they are `grace` old; objects removed.

    Those of no asset, and those that were replaced: an asset's original is the one with its SHA-256.
    """
    with reading():
        known = {(asset, sha256) for asset, sha256 in site.session.execute(select(Asset.id, Asset.sha256))}
        site.session.rollback()
    return _remove(site, originals_root(site.tenant_id), 2, lambda path: tuple(path[:2]) in known, grace)


def _remove(site: Site, root: str, depth: int, is_known: Callable[[list[str]], bool], grace: timedelta) -> int:
    """Remove groups of objects (those that share `depth` path parts below `root`) that are unknown and old."""
    before = site.now() - grace

    def path(info: BlobInfo) -> list[str]:
        return info.key.removeprefix(root).split("/")

    removed = 0
    for _, group in groupby(site.blobs.list(root), key=lambda info: path(info)[:depth]):
        infos = list(group)
        if not is_known(path(infos[0])) and max(info.modified for info in infos) < before:
            for info in infos:
                site.blobs.delete(info.key)
            removed += len(infos)
    return removed


def scratch(data_dir: Path) -> int:
    """Remove this machine's scratch folders of claims that no longer hold; how many."""
    folders = [folder for folder in scratch_root(data_dir).glob("*") if folder.is_dir()]
    named = {folder: folder.name.partition("-") for folder in folders}
    session = db.session()
    held = select(Asset.id, Asset.fence).where(
        Asset.id.in_([asset for asset, _, _ in named.values() if is_id(asset)]),
        Asset.leased_until > ports().clock.now(),
    )
    with reading(), across_tenants(session, "scratch folders are named by asset alone"):
        live = {f"{asset}-{fence}" for asset, fence in session.execute(held)} if folders else set()
        session.rollback()
    gone = [folder for folder in folders if folder.name not in live]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return len(gone)


def forget_objects(site: Site, asset_id: str) -> None:
    """Remove everything that is stored for an asset whose row is gone."""
    site.media.delete(asset_id)
    site.blobs.delete_prefix(renditions_prefix(site.tenant_id, asset_id))
    site.blobs.delete_prefix(original_prefix(site.tenant_id, asset_id))
