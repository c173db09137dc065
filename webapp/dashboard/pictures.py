"""What templates show of an asset."""

from tenants.catalog import Asset
from webapp import delivery
from webapp.dashboard.mount import bp


@bp.app_template_global()
def thumb(asset: Asset, width: int = 320) -> str | None:
    """The address of the smallest JPEG of at least `width` pixels, else of the largest; None before the first."""
    stills = sorted(
        (rendition.width, rendition.name)
        for rendition in asset.renditions
        if rendition.width and rendition.name.startswith("w") and rendition.name.endswith(".jpg")
    )
    if not stills:
        return None
    name = next((name for wide, name in stills if wide >= width), stills[-1][1])
    return delivery.base(asset.album_id, asset.id, asset.generation, marked=False) + name
