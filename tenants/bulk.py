"""Many assets of one album at once: a few statements each, whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, literal, select, true, union_all, update
from sqlalchemy.orm import Session

from infra.errors import Problem
from infra.sql import among, insert_into
from tenants import healing, search, webhooks
from tenants.catalog import Album, Asset, AssetState, Kind
from tenants.scope import Site
from tenants.search import AssetWord
from tenants.tags import MOST_TAGS, AssetTag
from tenants.webhooks import Event
from tenants.words import tag_word

MOST_NAMED = 10_000
"""Assets that are named one by one; "all of the album" has no such limit."""
MOST_REBUILT = 500
"""Photos that are turned at once: each is decoded and encoded anew."""
MOST_CAPTIONS = 500
"""Captions that are written at once: each asset's words are indexed one by one."""
NAMES_TOLD = 3
_WORD = ("tenant_id", "word", "taken_at", "asset_id", "album_id")
_TAG = ("tenant_id", "asset_id", "word", "label")


@dataclass(frozen=True)
class Chosen:
    """Live assets of an album: those with these ids or, with `every`, all but those.

    With `every`, what arrived after `seen` is left out as well: who chose has not seen it.
    """

    album: Album
    ids: frozenset[str]
    every: bool = False
    seen: datetime | None = None

    def clause(self, *, kept: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
        """`kept` says which of the album's assets count; by default those that are not deleted."""
        live = Asset.deleted_at.is_(None) if kept is None else kept
        named = among(Asset.id, sorted(self.ids))
        seen = [Asset.created_at <= self.seen] if self.every and self.seen else []
        here = (Asset.tenant_id == self.album.tenant_id, Asset.album_id == self.album.id, Asset.held.is_(False))
        return and_(*here, live, ~named if self.every else named, *seen)


def check(session: Session, chosen: Chosen) -> tuple[int, list[str]]:
    """How many there are, and the file names of the first few.

    Raises `Problem`: "not-found" if nothing is chosen, or some of what was named is gone; "too-large" for too many.
    """
    if len(chosen.ids) > MOST_NAMED:
        raise Problem(
            "too-large", "Name at most %(most)s files, or choose the whole album.", values={"most": MOST_NAMED}
        )
    count = session.scalar(select(func.count()).select_from(Asset).where(chosen.clause())) or 0
    if not count or (not chosen.every and count != len(chosen.ids)):
        raise Problem("not-found", "Nothing is selected, or some of it is gone. Reload the page.")
    names = select(Asset.filename).where(chosen.clause()).order_by(Asset.id).limit(NAMES_TOLD)
    return count, list(session.scalars(names))


def trash(site: Site, chosen: Chosen, *, now: datetime) -> None:
    """Into the trash, all at one moment: by that moment `restore` knows them again."""
    about = select(Asset.id, Asset.album_id, Asset.filename, Asset.kind).where(chosen.clause())
    webhooks.publish_of_each(site, Event.ASSET_DELETED, about)
    _set(site.session, chosen.clause(), deleted_at=now)


def remove(session: Session, tenant_id: str, ids: list[str], *, now: datetime) -> None:
    """For good, past the trash: the keeper removes files and rows."""
    which = and_(Asset.tenant_id == tenant_id, Asset.id.in_(ids), Asset.emptied_at.is_(None))
    _set(session, which, deleted_at=func.coalesce(Asset.deleted_at, now), emptied_at=now)


def restore(session: Session, album: Album, moment: datetime) -> int:
    """Bring back what went into the trash at that moment; how many."""
    gone = and_(
        Asset.tenant_id == album.tenant_id,
        Asset.album_id == album.id,
        Asset.deleted_at == moment,
        Asset.emptied_at.is_(None),
    )
    return _set(session, gone, deleted_at=None)


def tag(session: Session, chosen: Chosen, labels: list[str]) -> int:
    """Give them these tags beside those that they have; how many have every one of them now.

    An asset whose tags would be more than `MOST_TAGS` keeps those that it has.
    """
    held = (
        select(func.count())
        .where(AssetTag.tenant_id == Asset.tenant_id, AssetTag.asset_id == Asset.id)
        .where(AssetTag.word.not_in([tag_word(label) for label in labels]))
        .correlate(Asset)
        .scalar_subquery()
    )
    roomy = select(Asset.id).where(chosen.clause(), held <= MOST_TAGS - len(labels))
    ids = session.scalars(roomy).all()
    mine = and_(Asset.tenant_id == chosen.album.tenant_id, among(Asset.id, ids))
    found = sorted(set(search.stored_words("", labels, "", "")) - {""})
    words = union_all(*(select(literal(each).label("word")) for each in found)).subquery()
    rows = select(Asset.tenant_id, words.c.word, Asset.taken_at, Asset.id, Asset.album_id).join(words, true())
    _add(session, AssetWord, _WORD, rows.where(mine, Asset.generation > 0))
    for label in labels:
        tags = select(Asset.tenant_id, Asset.id, literal(tag_word(label)), literal(label))
        _add(session, AssetTag, _TAG, tags.where(mine))
    return len(ids)


def untag(session: Session, chosen: Chosen, labels: list[str]) -> int:
    """Take these tags away; how many tags that were.

    A word of the tag stays searchable where the caption, the file name or another tag has it too. The camera's name is
    not asked for: a tag that is called like the camera takes that word along until the asset is indexed again.
    """
    removed = 0
    ids = session.scalars(select(Asset.id).where(chosen.clause())).all()
    for label in labels:
        mark = tag_word(label)
        mine = (AssetTag.tenant_id == chosen.album.tenant_id, AssetTag.word == mark, among(AssetTag.asset_id, ids))
        had = session.scalars(select(AssetTag.asset_id).where(*mine)).all()
        _forget_words(session, chosen.album.tenant_id, {mark}, had)
        session.execute(delete(AssetTag).where(*mine).execution_options(synchronize_session=False))
        removed += len(had)
        for word in sorted(set(search.stored_words("", [label], "", "")) - {"", mark}):
            _forget_words(session, chosen.album.tenant_id, {word}, _without(session, word, had))
    return removed


def caption(site: Site, chosen: Chosen, text: str, *, only_bare: bool) -> int:
    """Write one caption below all of them, or below those that have none; how many. At most `MOST_CAPTIONS`."""
    which = chosen.clause() & (Asset.caption == "") if only_bare else chosen.clause()
    ids = site.session.scalars(select(Asset.id).where(which).limit(MOST_CAPTIONS + 1)).all()
    if len(ids) > MOST_CAPTIONS:
        raise Problem("too-large", "Write at most %(most)s captions at once.", values={"most": MOST_CAPTIONS})
    _set(site.session, which, caption=text)
    for asset_id in ids:
        camera = site.media.get(asset_id).get("camera", "")
        search.index(site.session, site.tenant_id, asset_id, camera=camera)
    return len(ids)


def rotate(site: Site, chosen: Chosen, degrees: int) -> int:
    """Turn finished photos clockwise by 90, 180 or 270 and have their pictures made again; how many.

    Videos, and what is not finished, stay as they are. At most `MOST_REBUILT`.
    """
    photos = chosen.clause() & (Asset.kind == Kind.PHOTO) & (Asset.state == AssetState.READY)
    ids = site.session.scalars(select(Asset.id).where(photos).limit(MOST_REBUILT + 1)).all()
    if len(ids) > MOST_REBUILT:
        raise Problem("too-large", "Turn at most %(most)s photos at once.", values={"most": MOST_REBUILT})
    if ids:
        _set(site.session, Asset.id.in_(ids), turn=(Asset.turn + degrees) % 360)
        healing.again(site, Asset.id.in_(ids), why="turn")
    return len(ids)


def _set(session: Session, which: ColumnElement[bool], **values: object) -> int:
    session.flush()
    changed = session.execute(update(Asset).where(which).values(**values).execution_options(synchronize_session=False))
    session.expire_all()
    return int(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _add(
    session: Session, table: type[AssetWord | AssetTag], columns: Sequence[str], rows: Select[*tuple[Any, ...]]
) -> None:
    """Those that are not there yet. (To ask first makes PostgreSQL compare each with each while its statistics know
    nothing of the album: a minute for ten thousand.)"""
    session.execute(insert_into(session, table).from_select(columns, rows).on_conflict_do_nothing())


def _forget_words(session: Session, tenant_id: str, gone: set[str], asset_ids: Sequence[str]) -> None:
    session.execute(
        delete(AssetWord)
        .where(AssetWord.tenant_id == tenant_id, AssetWord.word.in_(gone), among(AssetWord.asset_id, asset_ids))
        .execution_options(synchronize_session=False)
    )


def _without(session: Session, word: str, asset_ids: Sequence[str]) -> list[str]:
    """Those of the assets that have the word neither in caption nor file name nor in a tag."""
    rows = session.execute(select(Asset.id, Asset.caption, Asset.filename).where(among(Asset.id, asset_ids)))
    bare = [row.id for row in rows if word not in search.stored_words(row.caption, [], row.filename, "")]
    tags = session.execute(select(AssetTag.asset_id, AssetTag.label).where(among(AssetTag.asset_id, bare))).all()
    telling = {label for label in {row.label for row in tags} if word in search.stored_words("", [label], "", "")}
    tagged = {row.asset_id for row in tags if row.label in telling}
    return [asset_id for asset_id in bare if asset_id not in tagged]
