"""What members and their programs do to albums, assets and links: the change itself, what follows from it (copies at
the edge, watermarks, the search index) and the event that tells of it, all within the caller's transaction.

The dashboard and the API both go through here, so that neither forgets a part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.errors import N_, Problem
from tenants import catalog, delivery, nesting, ordering, purges, search, sharing, tags, watermarks, webhooks
from tenants.catalog import SHOWN, Album, Asset, Ordering, Visibility
from tenants.names import is_id
from tenants.scope import Site, secret
from tenants.sharing import ShareLink
from tenants.webhooks import Event

UNSAID: Any = object()
"""In the place of a parent: it stays where it is."""


def create_album(site: Site, title: str, *, parent: Album | None = None, **fields: Any) -> Album:
    """Raises `Problem` for an empty title, a watermark that is not there, a place that cannot be."""
    _check_mark(site, fields.get("marks"))
    album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), **fields)
    if parent is not None:
        nesting.put(site.session, album, parent)
    webhooks.publish(site, Event.ALBUM_CREATED, webhooks.about_album(album))
    if album.visibility is not Visibility.PRIVATE:
        webhooks.publish(site, Event.ALBUM_PUBLISHED, webhooks.about_album(album))
    return album


def change_album(site: Site, album: Album, changes: Mapping[str, Any], *, parent: Any = UNSAID) -> None:
    """Set the columns named in `changes`; `parent` is an album, None for the top."""
    _check_mark(site, changes.get("marks"))
    before, was_private = album.marks, album.visibility is Visibility.PRIVATE
    if parent is not UNSAID:
        nesting.put(site.session, album, parent)
    if changes.get("ordering") is Ordering.MANUAL:
        ordering.arrange_by_hand(site.session, album)
    for column, value in changes.items():
        setattr(album, column, value)
    if album.visibility is Visibility.PRIVATE:
        purges.close(site, delivery.by_openness(album.id))
    if album.marks is not before:
        purges.close_album(site, album.id)
        site.session.flush()
        watermarks.ask(site)
    album.updated_at = site.now()
    webhooks.publish(site, Event.ALBUM_CHANGED, webhooks.about_album(album))
    if was_private and album.visibility is not Visibility.PRIVATE:
        webhooks.publish(site, Event.ALBUM_PUBLISHED, webhooks.about_album(album))


def parent_named(site: Site, album_id: str) -> Album:
    """The album that another is to be put into. Raises `Problem("invalid")` if there is none."""
    parent = catalog.album_by_id(site.session, site.tenant_id, album_id) if is_id(album_id) else None
    if parent is None:
        raise Problem("invalid", N_("This album is gone. Choose another."), field="parent")
    return parent


def choose_cover(album: Album, asset: Asset) -> None:
    """Raises `Problem("conflict")` for an asset without a picture yet."""
    if asset.state not in SHOWN:
        raise Problem("conflict", N_("This file has no picture yet. Wait until it is processed."))
    album.cover_id = asset.id


def bin_album(site: Site, album: Album) -> None:
    """Into the trash, from where it comes back whole."""
    album.deleted_at = site.now()
    purges.close_album(site, album.id)
    webhooks.publish(site, Event.ALBUM_DELETED, webhooks.about_album(album))


def bin_assets(site: Site, album_id: str, assets: Sequence[Asset]) -> None:
    for asset in assets:
        asset.deleted_at = site.now()
        webhooks.publish(site, Event.ASSET_DELETED, webhooks.about_asset(asset))
    purges.close_album(site, album_id)


def describe(site: Site, asset: Asset, *, camera: str, labels: Sequence[str] | None = None, **texts: str) -> None:
    """Set `caption`, `alt` and, where they are given, the tags. `camera` is what the media attributes say: they may be
    in another store, so the caller asks for them before its transaction."""
    for column, text in texts.items():
        setattr(asset, column, text)
    if labels is not None:
        tags.put(site.session, asset, labels)
    search.index(site.session, asset.tenant_id, asset.id, camera=camera)


def share(site: Site, album: Album, **terms: Any) -> tuple[ShareLink, str]:
    """A link and its token, as `sharing.create_link` makes them."""
    _check_mark(site, terms.get("marks"))
    link, token = sharing.create_link(site.session, album, secret(), now=site.now(), **terms)
    watermarks.ask(site)
    webhooks.publish(site, Event.SHARE_CREATED, webhooks.about_link(link))
    return link, token


def revoke(site: Site, link: ShareLink) -> None:
    link.revoked_at = site.now()
    purges.close(site, delivery.by_link(link.id))
    webhooks.publish(site, Event.SHARE_REVOKED, webhooks.about_link(link))


def _check_mark(site: Site, marks: bool | None) -> None:
    """Whoever is to see a watermark needs one: without it they would see no pictures at all."""
    if marks and watermarks.of(site) is None:
        raise Problem("invalid", N_("There is no watermark yet. An admin makes it under “Watermark”."), field="marks")
