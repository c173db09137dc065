"""Tags: words that a tenant gives its assets, to find them by."""

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.catalog import Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH
from tenants.words import MAX_WORD, tag_word

MOST_TAGS = 30
MAX_TAG = MAX_WORD - 1
"""Characters: with its mark in front a tag is one word of the search."""


class AssetTag(TenantOwned, Base):
    __tablename__ = "asset_tags"
    __table_args__ = (belongs_to("assets", "asset_id"),)

    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    word: Mapped[str] = mapped_column(String(MAX_WORD), primary_key=True)
    """As it is searched, so that `Été` and `ete` are one tag."""
    label: Mapped[str] = mapped_column(String(MAX_TAG))
    """As it was written."""


def parse(text: str) -> list[str]:
    """Tags out of a line with commas (or Arabic and ideographic ones); each once, in the order given.

    Raises `Problem("invalid")` for more than `MOST_TAGS`, or one that is too long.
    """
    labels: dict[str, str] = {}
    for part in re.split(r"[,،、，\n]", text):
        label = " ".join(part.split()).lstrip("#")
        if len(label) > MAX_TAG:
            raise Problem(
                "invalid", "A tag may have up to %(most)s characters.", values={"most": MAX_TAG}, field="tags"
            )
        if tag_word(label):
            labels.setdefault(tag_word(label), label)
    if len(labels) > MOST_TAGS:
        raise Problem("invalid", "Up to %(most)s tags, please.", values={"most": MOST_TAGS}, field="tags")
    return list(labels.values())


def of(session: Session, asset_ids: Iterable[str]) -> dict[str, list[str]]:
    """The tags of each asset that has any, in alphabetical order."""
    rows = session.execute(
        select(AssetTag.asset_id, AssetTag.label).where(AssetTag.asset_id.in_(list(asset_ids))).order_by(AssetTag.word)
    )
    found: dict[str, list[str]] = {}
    for asset_id, label in rows:
        found.setdefault(asset_id, []).append(label)
    return found


def put(session: Session, asset: Asset, labels: Sequence[str]) -> None:
    """Give the asset these tags and no others. The caller has it indexed (`search.index`) afterwards."""
    session.execute(
        delete(AssetTag)
        .where(AssetTag.tenant_id == asset.tenant_id, AssetTag.asset_id == asset.id)
        .execution_options(synchronize_session=False)
    )
    for label in labels:
        session.add(AssetTag(tenant_id=asset.tenant_id, asset_id=asset.id, word=tag_word(label), label=label))
    session.flush()
