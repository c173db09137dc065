"""What the camera wrote into the container: capture time, camera, place. Never a reason to refuse a video."""

import re
from datetime import UTC, datetime, timedelta

from processor.steps.photo_metadata import Details

_APPLE = "com.apple.quicktime."
_MAKES = (_APPLE + "make", "com.android.manufacturer", "make")
_MODELS = (_APPLE + "model", "com.android.model", "model")
_PLACES = (_APPLE + "location.iso6709", "location", "location-eng")
_OLDEST = 1990
"""Digital video is not older; earlier times are clocks that were never set (QuickTime counts from 1904)."""


def details_of(tags: dict[str, str]) -> Details:
    """From lower-case container tags; each value stands alone, so a broken one does not hide its neighbours."""
    taken_at, offset = _capture_time(tags)
    place = _place(_first(tags, _PLACES))
    media = {
        "camera": _camera(_first(tags, _MAKES), _first(tags, _MODELS)),
        "private.gps_lat": place[0],
        "private.gps_lon": place[1],
    }
    return Details(taken_at, offset, {name: value for name, value in media.items() if value})


def _first(tags: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        value = " ".join("".join(c if c.isprintable() else " " for c in tags.get(name, "")).split())
        if value:
            return value[:200]
    return ""


def _capture_time(tags: dict[str, str]) -> tuple[datetime | None, int | None]:
    """Apple notes local time with its offset; the container's own field is in UTC (ISO/IEC 14496-12, 8.2.2)."""
    for name in (_APPLE + "creationdate", "date", "creation_time"):
        try:
            time = datetime.fromisoformat(tags.get(name, ""))
        except ValueError:
            continue
        if time.year < _OLDEST or (name == "date" and time.tzinfo is None):
            continue
        if name == "creation_time" or time.tzinfo is None:
            # In UTC, but where the camera was nobody says: its offset stays unknown.
            return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC), None
        try:
            return time.astimezone(UTC), round((time.utcoffset() or timedelta()) / timedelta(minutes=1))
        except OverflowError:
            continue
    return None, None


def _camera(make: str, model: str) -> str:
    return model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()


def _place(text: str) -> tuple[str, str]:
    """Latitude and longitude in degrees, from ISO 6709 Annex H: `+48.8577+002.2950+035.000/`."""
    parts = re.match(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)(?![\d.])", text)
    if parts is None:
        return "", ""
    latitude, longitude = float(parts[1]), float(parts[2])
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude, longitude) == (0, 0):
        return "", ""
    return f"{latitude:.6f}", f"{longitude:.6f}"
