"""The audit log: who changed what, when and from where. Written in the transaction of the change, and never changed.

An entry stands for itself: it names people, albums and files as they were called, by id as well but without a key, so
that it outlives all of them. Secrets are not in it: of a column that holds one, it tells that it was changed.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, Integer, Select, String, inspect, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id

ACTIONS: dict[str, str] = {
    "session.begun": N_("Signed in"),
    "session.ended": N_("Signed out"),
    "session.confirmed": N_("Confirmed signing in by a code"),
    "session.others": N_("Signed other devices out"),
    "password.changed": N_("Changed their password"),
    "password.reset": N_("Chose a new password by a letter"),
    "two-factor.on": N_("Switched their second factor on"),
    "two-factor.renewed": N_("Made new recovery codes"),
    "two-factor.off": N_("Switched their second factor off"),
    "two-factor.reset": N_("Switched a member’s second factor off"),
    "passkey.added": N_("Added a passkey"),
    "passkey.renamed": N_("Renamed a passkey"),
    "passkey.removed": N_("Removed a passkey"),
    "passkey.suspected": N_("Was refused a passkey that may have been copied"),
    "album.made": N_("Made an album"),
    "album.changed": N_("Changed an album’s settings"),
    "album.deleted": N_("Put an album into the trash"),
    "album.restored": N_("Brought an album back"),
    "album.arranged": N_("Switched an album to manual order"),
    "album.cover": N_("Chose a cover"),
    "upload.started": N_("Started an upload"),
    "asset.changed": N_("Changed caption or tags"),
    "asset.reordered": N_("Moved files within an album"),
    "asset.deleted": N_("Put files into the trash"),
    "asset.restored": N_("Brought files back"),
    "asset.moved": N_("Moved files to another album"),
    "asset.copied": N_("Copied files to another album"),
    "asset.tagged": N_("Tagged files"),
    "asset.turned": N_("Turned photos"),
    "asset.replaced": N_("Replaced a file"),
    "asset.retried": N_("Had a file processed again"),
    "trash.emptied": N_("Emptied the trash"),
    "share.made": N_("Made a share link"),
    "share.changed": N_("Changed a share link"),
    "share.revoked": N_("Revoked a share link"),
    "embed.made": N_("Made an embedding"),
    "embed.ended": N_("Switched an embedding off"),
    "guests.approved": N_("Approved files of guests"),
    "guests.rejected": N_("Rejected files of guests"),
    "comment.hidden": N_("Hid a comment"),
    "comment.shown": N_("Showed a comment again"),
    "comment.deleted": N_("Deleted a comment"),
    "selection.reopened": N_("Opened a selection again"),
    "selection.copied": N_("Copied a guest’s choice to a new album"),
    "news.read": N_("Marked all news as read"),
    "brand.changed": N_("Changed the brand"),
    "watermark.changed": N_("Changed the watermark"),
    "domain.claimed": N_("Claimed a domain"),
    "domain.checked": N_("Had a domain checked"),
    "domain.primary": N_("Chose the main domain"),
    "domain.removed": N_("Removed a domain"),
    "privacy.changed": N_("Changed what photos tell"),
    "member.added": N_("Added a member"),
    "member.invited": N_("Invited a member"),
    "member.withdrawn": N_("Withdrew an invitation"),
    "member.joined": N_("Accepted an invitation"),
    "member.changed": N_("Changed a member’s role"),
    "member.removed": N_("Removed a member"),
    "budget.changed": N_("Changed the budget"),
    "token.made": N_("Made a token of the API"),
    "token.revoked": N_("Revoked a token of the API"),
    "webhook.made": N_("Made a webhook"),
    "webhook.tried": N_("Sent a test message to a webhook"),
    "webhook.switched": N_("Switched a webhook on or off"),
    "webhook.sent": N_("Sent a webhook’s message again"),
    "webhook.deleted": N_("Deleted a webhook"),
    "support.let": N_("Let support in"),
    "support.ended": N_("Ended support’s access"),
    "request.hidden": N_("Hid a photo for somebody in it"),
    "request.refused": N_("Refused to hide a photo"),
    "request.undone": N_("Showed a hidden photo again"),
    "guest.forgotten": N_("Forgot a guest"),
    "data.export": N_("Had an archive of everything made"),
    "data.erase": N_("Asked for the account to be erased"),
    "data.keep": N_("Kept the account after all"),
    "guide.hidden": N_("Put the first steps away"),
}
"""Every action with the words for it. What is before the dot groups them: a filter by `album` finds all of those."""

GROUPS: dict[str, str] = {
    "album": N_("Albums"),
    "asset": N_("Photos and videos"),
    "trash": N_("Trash"),
    "upload": N_("Uploads"),
    "share": N_("Share links"),
    "embed": N_("Embedding"),
    "guests": N_("What guests added"),
    "guest": N_("Guests"),
    "request": N_("Requests to hide a photo"),
    "data": N_("Your data"),
    "comment": N_("Comments"),
    "selection": N_("Selections"),
    "news": N_("News"),
    "brand": N_("Brand"),
    "watermark": N_("Watermark"),
    "domain": N_("Domains"),
    "privacy": N_("Privacy"),
    "member": N_("Members"),
    "budget": N_("Budget"),
    "guide": N_("First steps"),
    "session": N_("Signing in and out"),
    "password": N_("Passwords"),
    "two-factor": N_("Second factors"),
    "passkey": N_("Passkeys"),
    "token": N_("Tokens of the API"),
    "webhook": N_("Webhooks"),
    "support": N_("Support"),
}

MAX_ABOUT = 300
MAX_VALUE = 200
_UNTOLD = ("hash", "token", "session_key", "public_key", "secret")
"""Parts of column names whose values are nobody's to read."""
_NOISE = ("updated_at", "sort_name")


class AuditEvent(TenantOwned, Base):
    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_member", "tenant_id", "member", "id"),
        Index("ix_audit_events_action", "tenant_id", "action", "id"),
        Index("ix_audit_events_album", "tenant_id", "album", "id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(40))
    """One of `ACTIONS`."""
    member: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    who: Mapped[str] = mapped_column(String(254), default="")
    """The member's e-mail address at that time."""
    address: Mapped[str] = mapped_column(String(45), default="")
    """IPv4 or IPv6."""
    agent: Mapped[str] = mapped_column(String(200), default="")
    """The browser's User-Agent."""
    request: Mapped[str] = mapped_column(String(128), default="")
    """The id that log lines have (`infra/access_log.py`)."""
    album: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    about: Mapped[str] = mapped_column(String(MAX_ABOUT), default="")
    """What it was done to, as people call it."""
    count: Mapped[int] = mapped_column(Integer, default=1)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`changed`: the value before and after, by column. Beside it whatever the action has to say."""


@dataclass(frozen=True)
class Who:
    """Who acts, and from where."""

    member: str
    email: str
    address: str
    agent: str = ""
    request: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty fields are anything. `first` and `last` are days in UTC, both included."""

    member: str = ""
    action: str = ""
    """An action, or what is before its dot."""
    album: str = ""
    words: str = ""
    """A part of what it was done to, or of an address."""
    first: date | None = None
    last: date | None = None


def record(
    session: Session,
    tenant_id: str,
    action: str,
    by: Who,
    *,
    now: datetime,
    album: str = "",
    about: str = "",
    count: int = 1,
    details: dict[str, Any] | None = None,
) -> None:
    """Write an entry, within the transaction of what it tells. `KeyError` for an action that has no words."""
    ACTIONS[action]
    session.add(
        AuditEvent(
            tenant_id=tenant_id,
            id=new_id(),
            at=now,
            action=action,
            member=by.member,
            who=by.email[:254],
            address=by.address[:45],
            agent=by.agent[:200],
            request=by.request[:128],
            album=album,
            about=about[:MAX_ABOUT],
            count=count,
            details=details or {},
        )
    )


def snapshot(row: Base) -> dict[str, object]:
    """The row's columns as they are now, for `difference` to compare with later."""
    columns = inspect(row).mapper.column_attrs
    return {each.key: getattr(row, each.key) for each in columns if each.key not in _NOISE}


def difference(before: Mapping[str, object], row: Base) -> dict[str, list[object]]:
    """Value before and after of each column that is not as in `before`; of secrets only that they are others."""
    after = snapshot(row)
    return {
        name: ["…", "…"] if any(part in name for part in _UNTOLD) else [_plain(old), _plain(after[name])]
        for name, old in before.items()
        if old != after[name]
    }


def told(row: Base, columns: Iterable[str]) -> dict[str, Any]:
    """Some columns of a new row as details have them; what is empty is left out."""
    return {name: _plain(value) for name in columns if (value := getattr(row, name))}


def _plain(value: object) -> object:
    """As JSON takes it, not longer than `MAX_VALUE`."""
    if isinstance(value, enum.Flag):
        return [flag.name for flag in type(value) if flag in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = value.isoformat() if isinstance(value, date) else str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def page(session: Session, wanted: Wanted, *, size: int, before: str = "") -> tuple[list[AuditEvent], str | None]:
    """The latest first, and the id to go on with (`before`), or None at the end."""
    statement = _filtered(wanted).order_by(AuditEvent.id.desc()).limit(size + 1)
    if before:
        statement = statement.where(AuditEvent.id < before)
    found = list(session.scalars(statement))
    return found[:size], found[size - 1].id if len(found) > size else None


def _filtered(wanted: Wanted) -> Select[AuditEvent]:
    statement = select(AuditEvent)
    if wanted.member:
        statement = statement.where(AuditEvent.member == wanted.member)
    if wanted.action:
        statement = statement.where(AuditEvent.action.in_(_of_group(wanted.action)))
    if wanted.album:
        statement = statement.where(AuditEvent.album == wanted.album)
    if wanted.words:
        about = AuditEvent.about.icontains(wanted.words, autoescape=True)
        statement = statement.where(about | (AuditEvent.address == wanted.words))
    if wanted.first:
        statement = statement.where(AuditEvent.at >= _midnight(wanted.first))
    if wanted.last:
        statement = statement.where(AuditEvent.at < _midnight(wanted.last) + timedelta(days=1))
    return statement


def _of_group(wanted: str) -> Sequence[str]:
    return [action for action in ACTIONS if action == wanted or action.partition(".")[0] == wanted]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def people(session: Session) -> list[tuple[str, str]]:
    """Everybody who has done something, removed members included: id and the latest e-mail address, by address."""
    rows: Iterable[Any] = session.execute(
        select(AuditEvent.member, AuditEvent.who)
        .where(AuditEvent.member != "")
        .group_by(AuditEvent.member, AuditEvent.who)
    )
    return sorted({row[0]: row[1] for row in rows}.items(), key=lambda pair: pair[1])
