"""Videos as jobs: what the database, the blob store and the uploader see of them."""

from hashlib import sha256
from pathlib import Path

import m3u8
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from video_clips import clip

from processor import jobs
from tenants import catalog
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.names import new_id, original_key, rendition_key, renditions_prefix
from tenants.scope import Site, open_site


def received(site: Site, world: World, content: bytes) -> str:
    """The id of an asset of alpha's album with this original."""
    asset_id, digest = new_id(), sha256(content).hexdigest()
    site.blobs.put(original_key(world.alpha, asset_id, digest), content, content_type="video/mp4")
    album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
    assert album is not None
    about = {"asset_id": asset_id, "filename": "a.mp4", "sha256": digest, "size": len(content), "now": site.now()}
    catalog.add_asset(site.session, album, **about)  # type: ignore[arg-type]
    site.session.commit()
    return asset_id


def after_job(world: World, content: bytes) -> str:
    with open_site(world.alpha) as site:
        asset_id = received(site, world, content)
    jobs.run(world.alpha, asset_id, "message", 1)
    return asset_id


def test_a_video_becomes_ready_with_every_file_that_its_playlists_name(
    core: Flask, world: World, tmp_path: Path
) -> None:
    asset_id = after_job(world, clip(tmp_path / "clip.mp4", size="426x240", seconds=2).read_bytes())
    with open_site(world.alpha) as site:
        asset = site.session.get(Asset, (world.alpha, asset_id))
        assert asset is not None
        assert (asset.state, asset.kind, asset.width, asset.height) == (AssetState.READY, Kind.VIDEO, 426, 240)
        assert asset.duration == pytest.approx(2, abs=0.1)
        rows = site.session.scalars(select(Rendition).where(Rendition.asset_id == asset_id)).all()
        sizes = {row.name: row.size for row in rows}

        def text(name: str) -> str:
            with site.blobs.open(rendition_key(world.alpha, asset_id, asset.generation, name)) as stream:
                return stream.read().decode()

        master = m3u8.loads(text("hls/master.m3u8"))
        playlists = [entry.uri for entry in [*master.playlists, *master.media]]
        assert playlists == ["v240.m3u8", "audio.m3u8"]
        for playlist in playlists:
            named = {segment.uri for segment in m3u8.loads(text(f"hls/{playlist}")).segments}
            assert all(sizes[f"hls/{name}"] > 0 for name in named)
        assert {"w426.jpg", "video.mp4", "storyboard.jpg", "storyboard.vtt", "hls/first.m3u8"} <= set(sizes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "playlist"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(5000), "cut off"),
    ],
)
def test_a_refusal_is_a_sentence_that_the_uploader_can_read(
    content: bytes, said: str, core: Flask, world: World
) -> None:
    asset_id = after_job(world, content)
    with open_site(world.alpha) as site:
        asset = site.session.get(Asset, (world.alpha, asset_id))
        assert asset is not None
        assert asset.state is AssetState.REJECTED
        assert said in asset.reason
        assert not list(site.blobs.list(renditions_prefix(world.alpha, asset_id)))
