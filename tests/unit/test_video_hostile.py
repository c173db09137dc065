"""Files that were made to harm, or were harmed: each is refused with a sentence, soon, and the next video is fine."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ffmpeg
import psutil
import pytest
from video_clips import H264, clip, record, render

from processor import sandbox
from processor.ffmpeg import Tools
from processor.sandbox import MIB, Expired, Limits, choose
from processor.steps import video
from processor.task import Rejected

SOON = 30.0
"""Seconds within which any of these is refused."""


def refused(original: Path, folder: Path, **settings: int) -> str:
    """The sentence with which the file is refused; nothing of it may have been published."""
    kept = record(original, folder / "task", **settings)
    started = time.monotonic()
    with pytest.raises(Rejected) as refusal:
        video.process(kept.task)
    assert time.monotonic() - started < SOON
    assert not kept.published
    sentence = str(refusal.value)
    assert sentence.endswith(".") and len(sentence) < 300 and str(folder) not in sentence
    return sentence


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address, and who has connected to it."""
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                callers.append(str(address))
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", callers
        stop.set()
        thread.join()


def scripts(address: str, secret: Path) -> dict[str, str]:
    """Formats that make ffmpeg open something else."""
    head = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n"
    return {
        "playlist of a local file": f"{head}file://{secret}\n#EXT-X-ENDLIST\n",
        "playlist of a remote file": f"{head}{address}/segment.ts\n#EXT-X-ENDLIST\n",
        "playlist by concat": f"{head}concat:{address}/a|file://{secret}\n#EXT-X-ENDLIST\n",
        "concat script": f"ffconcat version 1.0\nfile '{secret}'\n",
        "session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "dash manifest": f'<?xml version="1.0"?><MPD><BaseURL>{address}/</BaseURL></MPD>',
    }


KINDS = sorted(scripts("", Path()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_named_mp4_is_refused(kind: str, tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    address, callers = listener
    file = tmp_path / "holiday.mp4"
    file.write_text(scripts(address, tmp_path / "secret")[kind])
    refused(file, tmp_path)
    assert not callers


@pytest.mark.parametrize("demuxer", ["mov", "matroska", "avi", "mpegts"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_script_is_not_followed_even_if_it_gets_past_the_sniffer(
    kind: str, demuxer: str, tmp_path: Path, listener: tuple[str, list[str]]
) -> None:
    """The second line of defence: a named demuxer, an allow-list of protocols. Run without namespaces to prove it."""
    address, callers = listener
    file, secret = tmp_path / "holiday.mp4", clip(tmp_path / "secret.mp4", seconds=0.2, sound=False)
    file.write_text(scripts(address, secret)[kind])
    tools = Tools(choose("rlimits"), threads=1)
    with pytest.raises(Rejected):
        tools.probe(file, demuxer)
    assert not callers


def test_without_its_index_a_video_is_cut_off(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "cut off" in refused(cut, tmp_path)


def test_with_its_index_in_front_a_cut_video_is_noticed_too(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4", seconds=10, more=("-movflags", "+faststart"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    sentence = refused(cut, tmp_path)
    assert "cut off" in sentence
    assert "of 0:10" in sentence


def test_noise_in_place_of_the_pictures_is_refused(tmp_path: Path) -> None:
    content = bytearray(clip(tmp_path / "whole.mp4", more=("-movflags", "+faststart")).read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = random.Random(7).randbytes(len(content) - start)
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(content)
    assert "damaged" in refused(noise, tmp_path)


def test_a_damaged_stretch_does_not_lose_the_rest(tmp_path: Path) -> None:
    content = bytearray(clip(tmp_path / "whole.mp4", more=("-movflags", "+faststart")).read_bytes())
    start = content.index(b"mdat") + 4
    middle = start + (len(content) - start) * 2 // 3
    content[middle : middle + 2000] = random.Random(7).randbytes(2000)
    scratched = tmp_path / "scratched.mp4"
    scratched.write_bytes(content)
    kept = record(scratched, tmp_path / "task")
    video.process(kept.task)
    assert kept.published


def random_after(head: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(head + random.Random(3).randbytes(50_000)) and None


@pytest.mark.parametrize(
    "make",
    [
        random_after(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"),
        random_after(b"RIFF\xff\xff\xff\x7fAVI LIST"),
        random_after(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm"),
        lambda path: path.write_bytes(b"".join(b"\x47" + random.Random(n).randbytes(187) for n in range(200))) and None,
        lambda path: (
            path.write_bytes(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xf0")
            and None
        ),
    ],
    ids=["mp4", "avi", "webm", "mpeg-ts", "endless moov"],
)
def test_a_head_of_a_video_on_a_body_of_noise_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    file = tmp_path / "noise.bin"
    make(file)
    refused(file, tmp_path)


def test_sound_alone_is_not_a_video(tmp_path: Path) -> None:
    cover = render(tmp_path / "cover.png", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    music = render(
        tmp_path / "music.mp4",
        *("-f", "lavfi", "-i", "sine=duration=2", "-i", str(cover), "-map", "0", "-map", "1", "-c:v", "mjpeg"),
        *("-disposition:v", "attached_pic"),
    )
    assert "no video" in refused(music, tmp_path)


def test_a_codec_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    rare = render(tmp_path / "rare.avi", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1", "-c:v", "snow")
    assert "codec" in refused(rare, tmp_path)


def test_a_picture_beyond_8k_is_refused(tmp_path: Path) -> None:
    huge = render(tmp_path / "huge.mp4", "-f", "lavfi", "-i", "color=size=9000x64:duration=0.2", *H264)
    assert "9000 x 64" in refused(huge, tmp_path)


def test_a_frame_that_claims_to_be_gigantic_is_not_allocated(tmp_path: Path) -> None:
    """An AVI of 64 x 64 whose JPEG frames say 65,500 x 65,500: 12 GB each."""
    honest = render(tmp_path / "honest.avi", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1", "-c:v", "mjpeg")
    content = honest.read_bytes()
    size = (64).to_bytes(2, "big")
    assert b"\xff\xc0\x00\x11\x08" + size + size in content
    lie = (65500).to_bytes(2, "big")
    bomb = tmp_path / "bomb.avi"
    bomb.write_bytes(content.replace(b"\xff\xc0\x00\x11\x08" + size + size, b"\xff\xc0\x00\x11\x08" + lie + lie))
    refused(bomb, tmp_path)


def test_an_hour_in_four_frames_is_too_long(tmp_path: Path) -> None:
    slow = render(
        tmp_path / "slow.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=1:duration=4", "-vf", "setpts=PTS*1000", "-vsync", "vfr"),
        *H264,
    )
    assert "up to 0:30 is accepted" in refused(slow, tmp_path, max_video_seconds=30)


def test_more_pixels_than_the_length_allows_are_refused(tmp_path: Path) -> None:
    dense = clip(tmp_path / "dense.mp4", size="1280x720", rate="160", seconds=0.9, sound=False)
    assert "too long for its picture size" in refused(dense, tmp_path, max_video_seconds=1)


def test_a_decoder_that_wants_too_much_memory_is_the_files_fault(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4", size="3840x2160", seconds=0.5, sound=False)
    tools = Tools(choose("auto"), threads=2)
    graph = ffmpeg.output(tools.source(file, "mov"), "-", format="null")
    with pytest.raises(Rejected, match="memory"):
        tools.run(graph, read=file, write=tmp_path, limits=Limits(memory=64 * MIB))


def test_a_hanging_ffmpeg_ends_and_the_next_video_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = clip(tmp_path / "clip.mp4", size="64x64", seconds=1, sound=False)
    hangs = tmp_path / "bin/ffmpeg"
    hangs.parent.mkdir()
    hangs.write_text("#!/bin/sh\nsleep 4325 & sleep 4325\n")
    hangs.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "ENVIRONMENT", {**sandbox.ENVIRONMENT, "PATH": f"{hangs.parent}:/usr/bin:/bin"})
        patched.setattr("processor.steps.video_probe.SILENCE", 1)
        started = time.monotonic()
        with pytest.raises(Expired):
            video.process(record(original, tmp_path / "first").task)
        assert time.monotonic() - started < SOON
    left = [one for one in psutil.process_iter(["cmdline"]) if "4325" in (one.info["cmdline"] or [])]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)
    again = record(original, tmp_path / "second")
    video.process(again.task)
    assert again.progress[-1] == (100, "ready")


def test_losing_the_lease_stops_the_encoder(tmp_path: Path) -> None:
    class LostLease(Exception):
        pass

    def progress(percent: int, stage: str) -> None:
        if stage == "encode" and percent > 8:
            raise LostLease

    kept = record(clip(tmp_path / "long.mp4", size="640x360", seconds=20), tmp_path / "task", progress=progress)
    started = time.monotonic()
    with pytest.raises(LostLease):
        video.process(kept.task)
    assert time.monotonic() - started < SOON
    assert not kept.published


def test_a_full_disk_is_not_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = sandbox.Finished(1, b"", "av_interleaved_write_frame(): No space left on device\n", 1.0, 1)
    monkeypatch.setattr(sandbox.Sandbox, "run", lambda self, command, **rest: finished)
    tools = Tools(choose("rlimits"), threads=1)
    with pytest.raises(OSError, match="no room"):
        tools.probe(tmp_path, "mov")
