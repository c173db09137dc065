"""What the camera wrote: capture time, camera, lens, exposure, place. Never a reason to refuse a photo."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import Image

from processor.steps.photo_header import Header

VALUE_BYTES = 1024
"""What the media store takes; longer values are cut."""

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_MAKE, _MODEL = 0x010F, 0x0110
_LENS, _FOCAL, _APERTURE, _EXPOSURE, _ISO = 0xA434, 0x920A, 0x829D, 0x829A, 0x8827
_TIMES = (  # Tag and directory of the time, then its sub-seconds and its offset (Exif 3.0, 4.6.5 and 4.6.6).
    (0x9003, _EXIF_IFD, 0x9291, 0x9011),
    (0x9004, _EXIF_IFD, 0x9292, 0x9012),
    (0x0132, 0, 0x9290, 0x9010),
)

Tags = dict[int, Any]


@dataclass(frozen=True)
class Details:
    """`taken_at` and `taken_offset` as in `Facts`; `media` goes to the media store."""

    taken_at: datetime | None = None
    taken_offset: int | None = None
    media: dict[str, str] = field(default_factory=dict)


def details_of(header: Header) -> Details:
    """Whatever can be made out; each value stands alone, so a broken one does not hide its neighbours."""
    try:
        main, exif, gps = _directories(header)
    except Exception:
        # Pillow's parser raises whatever the garbage leads it to (struct.error, KeyError, OverflowError, ...), and a
        # photo with broken notes is still a photo.
        return Details()
    taken_at, offset = _capture_time(main, exif)
    media = {
        "camera": _camera(_text(main.get(_MAKE)), _text(main.get(_MODEL))),
        "lens": _text(exif.get(_LENS)),
        "focal_length": _focal_length(_number(exif.get(_FOCAL))),
        "aperture": _aperture(_number(exif.get(_APERTURE))),
        "exposure": _exposure(_number(exif.get(_EXPOSURE))),
        "iso": _iso(_number(exif.get(_ISO))),
        "private.gps_lat": _degrees(gps.get(2), gps.get(1), "S", 90),
        "private.gps_lon": _degrees(gps.get(4), gps.get(3), "W", 180),
    }
    if not (media["private.gps_lat"] and media["private.gps_lon"]):
        media["private.gps_lat"] = media["private.gps_lon"] = ""
    return Details(taken_at, offset, {name: value for name, value in media.items() if value})


def _directories(header: Header) -> tuple[Tags, Tags, Tags]:
    exif = Image.Exif()
    if header.content_type == "image/tiff":
        with header.path.open("rb") as file:
            exif.load_from_fp(file)
            return dict(exif), dict(exif.get_ifd(_EXIF_IFD)), dict(exif.get_ifd(_GPS_IFD))
    if header.exif:
        exif.load(header.exif)
    return dict(exif), dict(exif.get_ifd(_EXIF_IFD)), dict(exif.get_ifd(_GPS_IFD))


def _capture_time(main: Tags, exif: Tags) -> tuple[datetime | None, int | None]:
    for tag, directory, fraction_tag, offset_tag in _TIMES:
        local = _local_time(_text((exif if directory else main).get(tag)), _text(exif.get(fraction_tag)))
        if local is None:
            continue
        offset = _offset(_text(exif.get(offset_tag)))
        if offset is None:
            return local.replace(tzinfo=UTC), None
        try:
            return local.replace(tzinfo=timezone(timedelta(minutes=offset))).astimezone(UTC), offset
        except OverflowError:
            continue
    return None, None


def _local_time(text: str, fraction: str) -> datetime | None:
    parts = re.fullmatch(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d*)?Z?", text)
    if parts is None:
        return None
    micros = int(fraction[:6].ljust(6, "0")) if re.fullmatch(r"[0-9]+", fraction) else 0
    try:
        time = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*parts.groups())).replace(microsecond=micros)
    except ValueError:
        return None
    return time if time.year >= 1826 else None  # Earlier than photography: a clock that was never set.


def _offset(text: str) -> int | None:
    """Minutes east of UTC, within what time zones use."""
    if text == "Z":
        return 0
    parts = re.fullmatch(r"([+-])(\d\d):(\d\d)", text)
    if parts is None:
        return None
    minutes = int(parts[2]) * 60 + int(parts[3])
    return (minutes if parts[1] == "+" else -minutes) if minutes <= 14 * 60 else None


def _text(value: object) -> str:
    """Printable, without runs of blanks, at most `VALUE_BYTES` of UTF-8. Anything but text or bytes is empty."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):  # Fields are ASCII by the standard, UTF-8 in practice, and Pillow reads Latin-1.
        value = value.encode("latin-1").decode("utf-8")
    value = value.split("\0", 1)[0]  # Exif strings end at NUL; what comes after is leftover memory of the camera.
    clean = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return clean.encode("utf-8", "ignore")[:VALUE_BYTES].decode("utf-8", "ignore")


def _number(value: object) -> float | None:
    """A positive finite number: rationals may be n/0, lists take their first."""
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is not a number is what the except is for
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if 0 < number < 1e9 else None


def _camera(make: str, model: str) -> str:
    """`Canon` and `Canon EOS R5` make one name; `NIKON CORPORATION` and `NIKON D90` as well."""
    first = make.split(" ")[0]
    return _text(model if first and model.casefold().startswith(first.casefold()) else f"{make} {model}".strip())


def _focal_length(millimetres: float | None) -> str:
    return f"{millimetres:.1f}".removesuffix(".0") + " mm" if millimetres and millimetres < 10_000 else ""


def _aperture(number: float | None) -> str:
    return "f/" + f"{number:.1f}".removesuffix(".0") if number and 0.1 <= number < 1000 else ""


def _exposure(seconds: float | None) -> str:
    """As cameras show it: `1/250 s`, `0.5 s`, `30 s`."""
    if not seconds or not 1e-6 <= seconds < 1e6:
        return ""
    return f"1/{round(1 / seconds)} s" if seconds <= 0.26 else f"{seconds:.1f}".removesuffix(".0") + " s"


def _iso(number: float | None) -> str:
    return f"ISO {number:.0f}" if number and 1 <= number < 1e7 else ""


def _degrees(value: object, reference: object, negative: str, limit: int) -> str:
    """Degrees, minutes, seconds as decimal degrees with about 0.1 m."""
    if not isinstance(value, tuple | list) or len(value) != 3:
        return ""
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ArithmeticError):
        return ""
    decimal = degrees + minutes / 60 + seconds / 3600
    if not 0 <= decimal <= limit:  # Not-a-number fails too.
        return ""
    sign = -1 if _text(reference).upper() == negative else 1
    return f"{sign * decimal:.6f}"
