"""What pages tell of a photo besides its picture: nothing, the camera, the date as well; the place only if allowed.

The tenant decides, and an album may differ. Everything that shows capture data asks here: what a page is not given it
cannot leak. Places are stored as `private.` attributes and leave through `place_of` alone.
"""

import enum
from collections.abc import Mapping

from tenants.catalog import Album
from tenants.registry import Tenant

PLACE = ("private.gps_lat", "private.gps_lon")


class Capture(enum.Enum):
    """Each shows what the one before it shows, and more."""

    NONE = "none"
    CAMERA = "camera"
    """Camera, lens and exposure."""
    DATE = "date"
    """And when the photo was taken."""


def capture_of(tenant: Tenant, album: Album) -> Capture:
    return Capture(album.capture or tenant.capture)


def shows_camera(tenant: Tenant, album: Album) -> bool:
    return capture_of(tenant, album) is not Capture.NONE


def shows_date(tenant: Tenant, album: Album) -> bool:
    return capture_of(tenant, album) is Capture.DATE


def shows_place(tenant: Tenant, album: Album) -> bool:
    return tenant.place if album.place is None else album.place


def place_of(tenant: Tenant, album: Album, media: Mapping[str, str]) -> tuple[float, float] | None:
    """Latitude and longitude in degrees (WGS 84) if the file told them and pages of this album may tell them too."""
    if not shows_place(tenant, album):
        return None
    try:
        return float(media[PLACE[0]]), float(media[PLACE[1]])
    except (KeyError, ValueError):
        return None
