"""Which assets a form is about: the ticked ones, or the whole album."""

from datetime import UTC, datetime

from flask import g, request

from tenants import bulk
from tenants.bulk import Chosen
from tenants.catalog import Album
from tenants.names import is_id


def chosen_of(album: Album) -> tuple[Chosen, int, list[str]]:
    """The choice of the request's form, how many assets that are, and the names of the first few.

    `id`s are the ticked ones. With `all` it is every asset of the album that was there at `seen` (epoch milliseconds),
    but for those that `but` names. Raises `Problem` if that is nothing, or too much to name.
    """
    every = "all" in request.form
    named = frozenset(filter(is_id, request.form.getlist("but" if every else "id")))
    chosen = Chosen(album, named, every=every, seen=_seen() if every else None)
    count, names = bulk.check(g.site.session, chosen)
    return chosen, count, names


def moment(text: str) -> datetime | None:
    """A moment out of an address that `stamp` made; None for anything else."""
    try:
        seconds, microseconds = divmod(int(text), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    except (ValueError, OverflowError, OSError):
        return None


def stamp(at: datetime) -> int:
    """Epoch microseconds: exact, unlike a float of seconds."""
    whole = at.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + at.microsecond


def _seen() -> datetime | None:
    try:
        return datetime.fromtimestamp(int(request.form.get("seen", "")) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
