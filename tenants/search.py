"""Search within a tenant: an index of words in an ordinary table, the same on SQLite and PostgreSQL (ADR 0136).

A row says that an asset has a word. The key begins with the tenant, so a search costs what the tenant has, whatever the
others hold, and row-level security covers it like any other table. It goes on with the capture time, so that a page of
results is read from the index in its order. Each asset also has the empty word: a search by date alone reads that,
and every search reads there which album the asset is in, so that moving it changes one row and not one for each word.

Words come from the caption, the tags, the file name and the camera, without case and accents. Searching is by the
beginnings of words; a tag is found whole, as `#golden-hour`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Index, Select, String, and_, delete, func, insert, literal, select, tuple_
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from tenants.catalog import SHOWN, Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH
from tenants.tags import AssetTag
from tenants.words import MAX_WORD, tag_word, words

MOST_WORDS = 120
"""Of one asset: a caption of 2,000 characters has more, and what comes first counts."""
MOST_WANTED = 8
RARE = 20_000
"""How far a word's rows are counted to tell which one to start from. If all have more, results are met often enough on
a walk through everything in its order."""
_LAST = "\U0010ffff"
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힯豈-﫿ก-๛]")
"""Scripts that put no spaces between words."""

Place = tuple[datetime, str]
"""Capture time and id of an asset: where a page of results ends."""


class AssetWord(TenantOwned, Base):
    __tablename__ = "asset_words"
    __table_args__ = (
        belongs_to("assets", "asset_id"),
        Index("ix_asset_words_asset", "tenant_id", "asset_id", "word"),
        {"sqlite_with_rowid": False},
    )

    word: Mapped[str] = mapped_column(
        String(MAX_WORD).with_variant(String(MAX_WORD, collation="C"), "postgresql"), primary_key=True
    )
    taken_at: Mapped[datetime] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    """True of the empty word; with others the album in which the asset got the word."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: beginnings of words and whole tags that must all be there; `first` and `last` are moments,
    both included."""

    beginnings: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None

    @property
    def nothing(self) -> bool:
        return not (self.beginnings or self.tags or self.first or self.last)


def wanted(text: str, *, first: datetime | None = None, last: datetime | None = None) -> Wanted:
    """What somebody typed."""
    beginnings: dict[str, None] = {}
    tags: dict[str, None] = {}
    for part in text.split():
        if part.startswith("#"):
            tags[tag_word(part)] = None
        else:
            beginnings.update(dict.fromkeys(words(part)))
    return Wanted(tuple(beginnings)[:MOST_WANTED], tuple(filter(None, tags))[:MOST_WANTED], first, last)


def index(session: Session, tenant_id: str, asset_id: str, *, camera: str) -> None:
    """Bring the asset's words up to date, within the caller's transaction. Call it after whatever changed is flushed.

    Whoever else changes the same asset waits for the row's lock, so the last one to commit has seen everything.
    """
    session.flush()
    row = session.execute(
        select(Asset.album_id, Asset.taken_at, Asset.caption, Asset.filename)
        .where(Asset.tenant_id == tenant_id, Asset.id == asset_id)
        .with_for_update(key_share=True)
    ).one()
    labels = session.scalars(
        select(AssetTag.label).where(AssetTag.tenant_id == tenant_id, AssetTag.asset_id == asset_id)
    ).all()
    new = {(word, row.taken_at) for word in stored_words(row.caption, labels, row.filename, camera)}
    old = {(row.word, row.taken_at) for row in session.execute(_of(tenant_id, asset_id))}
    if old - new:
        session.execute(
            delete(AssetWord)
            .where(
                AssetWord.tenant_id == tenant_id,
                AssetWord.asset_id == asset_id,
                tuple_(AssetWord.word, AssetWord.taken_at).in_(old - new),
            )
            .execution_options(synchronize_session=False)
        )
    common = {"tenant_id": tenant_id, "asset_id": asset_id, "album_id": row.album_id}
    if new - old:
        session.execute(insert(AssetWord), [{**common, "word": w, "taken_at": at} for w, at in sorted(new - old)])


def next_ids(session: Session, tenant_id: str, *, after: str, size: int = 200) -> list[str]:
    """The tenant's assets that have something to show, in order of their ids, for indexing them all."""
    return list(
        session.scalars(
            select(Asset.id)
            .where(Asset.tenant_id == tenant_id, Asset.generation > 0, Asset.id > after)
            .order_by(Asset.id)
            .limit(size)
        )
    )


def stored_words(caption: str, labels: Sequence[str], filename: str, camera: str) -> list[str]:
    """Every word of an asset, the empty one first; of unspaced scripts every ending of a run, so that each part of it
    is the beginning of something."""
    found = dict.fromkeys(["", *(tag_word(label) for label in labels)])
    for word in words(" ".join((*labels, filename, camera, caption))):
        starts = range(min(len(word), 20)) if _UNSPACED.search(word) else (0,)
        found.update(dict.fromkeys(word[start:] for start in starts))
    return list(found)[:MOST_WORDS]


def find(
    session: Session, tenant_id: str, sought: Wanted, albums: ColumnElement[bool], *, after: Place | None, size: int
) -> tuple[list[str], Place | None]:
    """Ids of shown assets that have everything that is sought, in albums that fit `albums`; the latest capture first.

    Also the place to go on after, None at the end.
    """
    fits = [_begins(word) for word in sought.beginnings] + [_equals(tag) for tag in sought.tags]
    rows = {fit: _rows(session, tenant_id, fit) for fit in fits}
    fits.sort(key=rows.__getitem__)
    if not fits or rows[fits[0]] >= RARE:
        fits.insert(0, _equals(""))
    statement = _statement(tenant_id, fits, sought, albums)
    found: list[Place] = []
    place = after
    while len(found) <= size:
        page = [(row[0], row[1]) for row in session.execute(_beyond(statement, place).limit(size + 1))]
        shown = set(session.scalars(_shown(tenant_id, [asset_id for _, asset_id in page])))
        found += [row for row in page if row[1] in shown]
        if len(page) <= size:
            break
        place = page[-1]
    more = len(found) > size
    return [asset_id for _, asset_id in found[:size]], found[size - 1] if more else None


class _Fit:
    """A condition on a word, for whichever alias of the table."""

    def __init__(self, low: str, high: str | None) -> None:
        self._low, self._high = low, high
        self.empty = (low, high) == ("", None)

    def __call__(self, of: type[AssetWord]) -> ColumnElement[bool]:
        if self._high is None:
            return of.word == self._low
        return and_(of.word >= self._low, of.word < self._high)


def _begins(word: str) -> _Fit:
    return _Fit(word, word + _LAST)


def _equals(word: str) -> _Fit:
    return _Fit(word, None)


def _rows(session: Session, tenant_id: str, fit: _Fit) -> int:
    some = select(AssetWord.asset_id).where(AssetWord.tenant_id == tenant_id, fit(AssetWord)).limit(RARE)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _statement(
    tenant_id: str, fits: Sequence[_Fit], sought: Wanted, albums: ColumnElement[bool]
) -> Select[datetime, str]:
    """Start from the rarest word, and ask of each asset whether it has the others."""
    start, *others = fits
    open_albums = select(Album.id).where(Album.tenant_id == tenant_id, Album.deleted_at.is_(None), albums)
    statement = select(AssetWord.taken_at, AssetWord.asset_id).where(AssetWord.tenant_id == tenant_id, start(AssetWord))
    if start.empty:
        statement = statement.where(AssetWord.album_id.in_(open_albums))
    else:
        home = aliased(AssetWord)
        here = (home.tenant_id == tenant_id, home.asset_id == AssetWord.asset_id, home.word == "")
        statement = statement.where(select(literal(1)).where(*here, home.album_id.in_(open_albums)).exists())
    if sought.first is not None:
        statement = statement.where(AssetWord.taken_at >= sought.first)
    if sought.last is not None:
        statement = statement.where(AssetWord.taken_at <= sought.last)
    for fit in others:
        other = aliased(AssetWord)
        has = select(literal(1)).where(other.tenant_id == tenant_id, other.asset_id == AssetWord.asset_id, fit(other))
        statement = statement.where(has.exists())
    # Several words of one asset may begin alike: it is still one result.
    return statement.group_by(AssetWord.taken_at, AssetWord.asset_id).order_by(
        AssetWord.taken_at.desc(), AssetWord.asset_id.desc()
    )


def _beyond(statement: Select[datetime, str], place: Place | None) -> Select[datetime, str]:
    if place is None:
        return statement
    here = tuple_(literal(place[0], AssetWord.taken_at.type), literal(place[1]))
    return statement.where(tuple_(AssetWord.taken_at, AssetWord.asset_id) < here)


def _shown(tenant_id: str, ids: Sequence[str]) -> Select[str]:
    return select(Asset.id).where(
        Asset.tenant_id == tenant_id,
        Asset.id.in_(ids),
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
        Asset.generation > 0,
        Asset.state.in_(SHOWN),
    )


def _of(tenant_id: str, asset_id: str) -> Select[str, datetime]:
    return select(AssetWord.word, AssetWord.taken_at).where(
        AssetWord.tenant_id == tenant_id, AssetWord.asset_id == asset_id
    )
