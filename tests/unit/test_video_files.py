"""The whole video pipeline on tiny clips: what is made, when it is published, and that players can read it."""

import itertools
from pathlib import Path

import m3u8
import pytest
from PIL import Image
from video_clips import H264, Record, clip, decodes, grey, keyframes, picture, probe, record, render

from processor.ffmpeg import Tools
from processor.sandbox import choose
from processor.steps import video
from processor.steps.video_poster import choose_frame
from processor.steps.video_probe import examine
from tenants.catalog import Kind


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A 640 x 360 clip of 5 s with sound, processed once for all tests that only look at the result."""
    folder = tmp_path_factory.mktemp("wide")
    about = ("-metadata", "creation_time=2024-05-01T10:30:00Z", "-metadata", "location=+48.8577+002.2950/")
    made = record(clip(folder / "original.mp4", size="640x360", seconds=5, more=about), folder / "task")
    video.process(made.task)
    return made


def processed(original: Path, folder: Path) -> Record:
    made = record(original, folder / "task")
    video.process(made.task)
    return made


def variants(made: Record) -> list[m3u8.Playlist]:
    return list(m3u8.loads(made.path("hls/master.m3u8").read_text()).playlists)


def test_everything_a_page_needs_is_made(wide: Record) -> None:
    assert set(wide.made) == {
        *("w320.jpg", "w640.jpg", "w320.avif", "w640.avif"),
        *("hls/first.m3u8", "hls/master.m3u8", "hls/audio.m3u8", "hls/audio.mp4"),
        *("hls/v240.m3u8", "hls/v240.mp4", "hls/v360.m3u8", "hls/v360.mp4"),
        *("video.mp4", "storyboard.jpg", "storyboard.vtt"),
    }
    assert {made.content_type for name, made in wide.made.items() if name.endswith(".m3u8")} == {
        "application/vnd.apple.mpegurl"
    }


def test_the_lowest_rung_is_published_before_the_highest_exists(wide: Record) -> None:
    (at_first, facts), (at_last, final) = wide.published
    assert {"hls/first.m3u8", "hls/v240.mp4", "hls/audio.mp4", "w640.jpg"} <= at_first
    assert not {"hls/v360.mp4", "hls/master.m3u8", "video.mp4"} & at_first
    assert at_last == set(wide.made)
    assert facts == final


def test_facts_are_the_originals(wide: Record) -> None:
    facts = wide.published[-1][1]
    assert (facts.kind, facts.content_type, facts.width, facts.height) == (Kind.VIDEO, "video/mp4", 640, 360)
    assert facts.duration == pytest.approx(5, abs=0.05)
    assert facts.taken_at is not None and facts.taken_at.isoformat() == "2024-05-01T10:30:00+00:00"
    assert facts.media == {"private.gps_lat": "48.857700", "private.gps_lon": "2.295000"}
    assert facts.thumbhash and facts.dominant and facts.dominant.startswith("#")


def test_progress_never_goes_back_and_ends_at_a_hundred(wide: Record) -> None:
    percents = [percent for percent, _ in wide.progress]
    assert percents == sorted(percents)
    assert percents[0] <= 5
    assert percents[-1] == 100
    assert len(set(percents)) >= 6


def test_playlists_name_what_is_there(wide: Record) -> None:
    """RFC 8216: attributes of the variants are true, byte ranges cover each file from end to end."""
    for variant, (width, height) in zip(variants(wide), [(426, 240), (640, 360)], strict=True):
        stream = variant.stream_info
        assert stream.resolution == (width, height)
        shown = picture(wide.path(f"hls/{variant.uri}"))
        assert (shown["width"], shown["height"], shown["profile"], shown["pix_fmt"]) == (
            width,
            height,
            "High",
            "yuv420p",
        )
        assert stream.codecs.startswith("avc1.64") and stream.codecs.endswith("mp4a.40.2")
        assert int(stream.codecs[9:11], 16) == shown["level"]
        assert stream.frame_rate == 30
        assert 0 < stream.average_bandwidth <= stream.bandwidth
        segments = m3u8.loads(wide.path(f"hls/{variant.uri}").read_text()).segments
        size = wide.path(f"hls/{variant.uri}").with_suffix(".mp4").stat().st_size
        at = int(segments[0].init_section.byterange.partition("@")[0])
        for segment in segments:
            length, _, start = segment.byterange.partition("@")
            assert int(start) == at
            at += int(length)
        assert at == size


def test_every_variant_decodes_without_a_complaint(wide: Record) -> None:
    for name in ("hls/first.m3u8", "hls/master.m3u8", "hls/v240.m3u8", "hls/v360.m3u8", "hls/audio.m3u8", "video.mp4"):
        assert decodes(wide.path(name)) == "", name


def test_keyframes_are_aligned_and_two_seconds_apart(wide: Record) -> None:
    first, second = (keyframes(wide.path(f"hls/{rung}.mp4")) for rung in ("v240", "v360"))
    assert first == second == [0, 2, 4]


def test_sound_is_shared_stereo_aac_at_48_khz(wide: Record) -> None:
    (sound,) = probe(wide.path("hls/audio.mp4"))["streams"]
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("aac", "48000", 2)
    (group,) = m3u8.loads(wide.path("hls/master.m3u8").read_text()).media
    assert (group.type, group.uri) == ("AUDIO", "audio.m3u8")
    assert float(sound["duration"]) == pytest.approx(5, abs=0.1)


def test_the_plain_file_starts_before_it_is_loaded(wide: Record) -> None:
    content = wide.path("video.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    kinds = [stream["codec_name"] for stream in probe(wide.path("video.mp4"))["streams"]]
    assert kinds == ["h264", "aac"]


def test_no_rendition_carries_the_originals_metadata(wide: Record) -> None:
    for name in wide.made:
        content = wide.path(name).read_bytes()
        assert b"48.8577" not in content and b"2024-05" not in content and b"original" not in content, name


def test_the_storyboard_shows_the_moment_it_names(wide: Record) -> None:
    cues = wide.path("storyboard.vtt").read_text().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert [cue.splitlines()[0] for cue in cues[1:]] == [
        "00:00:00.000 --> 00:00:02.000",
        "00:00:02.000 --> 00:00:04.000",
        "00:00:04.000 --> 00:00:05.000",
    ]
    with Image.open(wide.path("storyboard.jpg")) as sprite:
        assert sprite.size == (480, 90)
        for number, cue in enumerate(cues[1:]):
            x, y, width, height = map(int, cue.rpartition("=")[2].split(","))
            tile = sprite.crop((x, y, x + width, y + height)).convert("L").resize((8, 8), Image.Resampling.BOX)
            frame = [value for row in grey(wide.path("video.mp4"), number * 2.0) for value in row]
            shown = [value * 219 / 255 + 16 for value in tile.tobytes()]
            difference = sum(abs(a - b) for a, b in zip(shown, frame, strict=True)) / 64
            assert difference < 12, (number, difference)


def test_rotation_is_applied_and_forgotten(tmp_path: Path) -> None:
    flat = clip(tmp_path / "flat.mp4", size="320x180", seconds=2, sound=False)
    turned = render(tmp_path / "turned.mp4", "-i", str(flat), "-c", "copy", "-metadata:s:v", "rotate=90")
    made = processed(turned, tmp_path)
    facts = made.published[-1][1]
    assert (facts.width, facts.height) == (180, 320)
    shown = picture(made.path("video.mp4"))
    assert (shown["width"], shown["height"]) == (180, 320)
    assert not any("rotation" in side for side in shown.get("side_data_list", ()))
    with Image.open(made.path("w180.jpg")) as still:
        assert still.size == (180, 320)


def test_a_portrait_is_measured_by_its_short_side(tmp_path: Path) -> None:
    made = processed(clip(tmp_path / "tall.mp4", size="270x480", seconds=2), tmp_path)
    assert [variant.stream_info.resolution for variant in variants(made)] == [(240, 426), (270, 480)][-1:]


def test_no_sound_means_no_audio_group(tmp_path: Path) -> None:
    made = processed(clip(tmp_path / "silent.mp4", seconds=2, sound=False), tmp_path)
    master = m3u8.loads(made.path("hls/master.m3u8").read_text())
    assert not master.media
    assert master.playlists[0].stream_info.audio is None
    assert not any("audio" in name for name in made.made)
    assert decodes(made.path("hls/master.m3u8")) == ""


def test_odd_sides_become_even_without_growing(tmp_path: Path) -> None:
    odd = render(tmp_path / "odd.mkv", "-f", "lavfi", "-i", "testsrc2=size=321x241:rate=10:duration=2", "-c:v", "mjpeg")
    made = processed(odd, tmp_path)
    assert [variant.stream_info.resolution for variant in variants(made)] == [(320, 240)]
    assert decodes(made.path("video.mp4")) == ""
    assert picture(odd)["color_range"] == "pc"
    assert picture(made.path("video.mp4")).get("color_range", "tv") == "tv"


def test_a_single_picture_is_a_video_too(tmp_path: Path) -> None:
    made = processed(clip(tmp_path / "one.mp4", size="64x48", seconds=0.04, rate="25", sound=False), tmp_path)
    assert decodes(made.path("hls/master.m3u8")) == ""
    assert made.path("storyboard.vtt").read_text().count("-->") == 1


def test_hdr_in_a_cinemas_format_has_a_poster(tmp_path: Path) -> None:
    """2304 x 964 fits the largest poster at 2048 x 857: an odd height, which zimg refuses in 4:2:0."""
    film = render(
        tmp_path / "film.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=2304x964:rate=25:duration=0.08", "-vf", "format=yuv420p10le"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020"),
        *("-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv"),
    )
    made = record(film, tmp_path / "task")
    tools = Tools(choose("auto"), threads=2)
    with Image.open(choose_frame(made.task.scratch, examine(made.task, tools, "video/mp4"), tools)) as poster:
        assert poster.size == (2048, 856)


def test_wide_pixels_become_square(tmp_path: Path) -> None:
    made = processed(clip(tmp_path / "pal.mp4", size="160x120", seconds=2, more=("-aspect", "16:9")), tmp_path)
    shown = picture(made.path("video.mp4"))
    assert (shown["width"], shown["height"], shown.get("sample_aspect_ratio", "1:1")) == (212, 120, "1:1")


def test_a_variable_rate_becomes_constant_and_keeps_its_time(tmp_path: Path) -> None:
    # Frames of a second at 30 a second, then of two seconds at 10 a second.
    varied = render(
        tmp_path / "varied.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=30:duration=3"),
        *("-vf", "select='lt(t,1)+not(mod(n,3))'", "-vsync", "vfr", *H264),
    )
    made = processed(varied, tmp_path)
    packets = probe(made.path("video.mp4"), "-select_streams", "v:0", "-show_entries", "packet=pts_time")["packets"]
    times = sorted(float(packet["pts_time"]) for packet in packets)
    gaps = {round(after - before, 3) for before, after in itertools.pairwise(times)}
    assert max(gaps) - min(gaps) <= 0.002
    assert float(picture(made.path("video.mp4"))["duration"]) == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_shown_as_sdr(transfer: str, tmp_path: Path) -> None:
    """Diffuse white, 203 cd/m2 in ITU-R BT.2408, is 58 % of PQ and 75 % of HLG: both must be bright and not clipped."""
    code = {"smpte2084": 572, "arib-std-b67": 721}[transfer]
    hdr = render(
        tmp_path / "hdr.mp4",
        *("-f", "lavfi", "-i", "color=black:size=160x120:rate=10:duration=2"),
        *("-vf", f"format=yuv420p10le,geq=lum='if(lt(X,80),{code},64)':cb=512:cr=512"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020"),
        *("-color_trc", transfer, "-colorspace", "bt2020nc", "-color_range", "tv"),
    )
    made = processed(hdr, tmp_path)
    shown = picture(made.path("video.mp4"))
    assert (shown["pix_fmt"], shown["color_transfer"], shown["color_space"]) == ("yuv420p", "bt709", "bt709")
    white, black = (grey(made.path("video.mp4"))[4][column] for column in (1, 6))
    assert 185 <= white <= 225
    assert black <= 20
    with Image.open(made.path("w160.jpg")) as still:
        assert 195 <= still.convert("L").getpixel((20, 60)) <= 245  # type: ignore[operator]


def test_a_black_start_is_not_the_poster(tmp_path: Path) -> None:
    late = render(
        tmp_path / "late.mp4",
        *("-f", "lavfi", "-i", "color=black:size=160x120:rate=10:duration=1"),
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=2"),
        *("-filter_complex", "[0][1]concat", *H264),
    )
    made = processed(late, tmp_path)
    with Image.open(made.path("w160.jpg")) as poster:
        low, high = poster.convert("L").getextrema()
    assert high - low > 100  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.webm", ("-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime", "-c:a", "libopus")),
        ("clip.mkv", (*H264, "-c:a", "flac")),
        ("clip.avi", ("-c:v", "mpeg4", "-c:a", "libmp3lame")),
        ("clip.ts", (*H264, "-c:a", "mp2")),
        ("clip.mov", (*H264, "-c:a", "pcm_s16le", "-movflags", "frag_keyframe+empty_moov")),
    ],
)
def test_each_container_plays(name: str, codec: tuple[str, ...], tmp_path: Path) -> None:
    inputs = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2")
    sound = ("-f", "lavfi", "-i", "sine=duration=2:sample_rate=48000")
    made = processed(render(tmp_path / name, *inputs, *sound, *codec), tmp_path)
    assert decodes(made.path("hls/master.m3u8")) == ""
    assert made.published[-1][1].duration == pytest.approx(2, abs=0.2)
    assert "hls/audio.mp4" in made.made


def test_a_live_recording_without_a_length_plays(tmp_path: Path) -> None:
    """What a browser's MediaRecorder writes: WebM without a duration."""
    live = render(
        tmp_path / "live.webm",
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2"),
        *("-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime", "-live", "1"),
    )
    assert "duration" not in probe(live, "-show_format")["format"]
    made = processed(live, tmp_path)
    assert made.published[-1][1].duration == pytest.approx(2, abs=0.2)
