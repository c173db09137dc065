"""Files made to hurt: bombs, cut and flipped bytes. They are refused quickly, in little memory, with a sentence."""

import json
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import gif_of, jpeg_with_scans, png_claiming, process, quadrants, tiff_of
from PIL import Image

from processor.steps import photo
from processor.steps.photo_animation import animate
from processor.steps.photo_header import blaming_the_file, read_header
from processor.steps.photo_metadata import details_of
from processor.steps.photo_vips import pyvips
from processor.steps.sniff import kind_of
from processor.task import Rejected
from tenants.catalog import Kind

ROOT = Path(__file__).parents[2]
FORMS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "HEIF")


def sample(form: str, width: int = 96, height: int = 64) -> bytes:
    image = Image.fromarray(quadrants(width, height)).effect_spread(3)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    out = BytesIO()
    if form == "HEIF":
        pillow_heif.from_pillow(image).save(out, exif=exif.tobytes())
    elif form == "GIF":
        image.save(out, form, save_all=True, append_images=[image.rotate(90)])
    else:
        image.save(out, form, exif=exif)
    return out.getvalue()


SAMPLES = {form: sample(form) for form in FORMS}

BOMBS = {
    "png": png_claiming(60_000, 60_000),
    "png-long": png_claiming(2_000_000_000, 1),
    "gif-frames": gif_of(5_000, 100, 100),
    "gif-area": gif_of(900, 2_000, 2_000),
    "tiff-pages": tiff_of(60, 2_000),
    "jpeg-scans": jpeg_with_scans(4_000, quadrants(2_000, 2_000)),
}

MEASURE = """
import json, re, sys, time
from pathlib import Path
from pictures import process
from processor.task import Rejected
peak = lambda: int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) // 1024
results = {}
for path in map(Path, sys.argv[2:]):
    before, started = peak(), time.process_time()
    try:
        process(path, Path(sys.argv[1]))
        reason = ""
    except Rejected as refusal:
        reason = str(refusal)
    results[path.name] = [reason, time.process_time() - started, peak() - before]
print(json.dumps(results))
"""


def test_bombs_are_refused_fast_and_in_little_memory(tmp_path: Path) -> None:
    for name, data in BOMBS.items():
        (tmp_path / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "out"), *(str(tmp_path / name) for name in BOMBS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
    )
    results = json.loads(run.stdout)
    assert set(results) == set(BOMBS)
    for name, (reason, seconds, megabytes) in results.items():
        assert reason, f"{name} was not refused"
        assert len(reason) <= 300
        assert seconds < 5, name
        assert megabytes < 60, name
    assert "60000 x 60000" in results["png"][0] or "60,000" in results["png"][0]
    assert "5,000 frames" in results["gif-frames"][0]
    assert "900 frames" in results["gif-area"][0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, part: float) -> None:
    data = sample(form, 500, 400)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(Rejected) as refusal:
        process(path, tmp_path / "out")
    assert str(refusal.value).endswith(".")


def test_stray_bytes_between_segments_are_forgiven(tmp_path: Path) -> None:
    data = SAMPLES["JPEG"]
    table = data.index(b"\xff\xdb")
    path = tmp_path / "stray.jpg"
    path.write_bytes(data[:table] + bytes(7) + data[table:])
    assert process(path, tmp_path / "out").facts.content_type == "image/jpeg"


def test_the_pixel_cap_counts_pixels_as_set(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(SAMPLES["PNG"])
    assert process(path, tmp_path / "out", max_pixels=96 * 64).made
    with pytest.raises(Rejected, match="96 x 64"):
        process(path, tmp_path / "out", max_pixels=96 * 64 - 1)


@pytest.mark.parametrize(
    "operation", ["svgload_buffer", "csvload", "vipsload", "rawload", "jpegload_buffer", "matrixload"]
)
def test_loaders_that_are_not_on_the_list_cannot_run(operation: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    arguments: tuple[object, ...] = (path.read_bytes(),) if operation.endswith("_buffer") else (str(path),)
    if operation == "rawload":
        arguments = (str(path), 2, 2, 3)
    with pytest.raises(pyvips.Error, match="blocked"):
        pyvips.Operation.call(operation, *arguments)


def examine(data: bytes) -> None:
    """All that happens to a file before anything is encoded. Only `Rejected` may come out."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "file"
        path.write_bytes(data)
        started = time.process_time()
        try:
            kind, content_type = kind_of(path)
            if kind is not Kind.PHOTO:
                return
            header = read_header(path, content_type, 2_000_000)
            details_of(header)
            with blaming_the_file():
                photo.develop(header)
                if header.frames > 1:
                    animate(header, Path(name) / "animated.webp")
        except Rejected as refusal:
            assert 10 < len(str(refusal)) <= 300
        assert time.process_time() - started < 10


def test_a_heif_without_a_decodable_picture_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.heic"
    path.write_bytes(SAMPLES["HEIF"].replace(b"hvcC", b"hvcX"))
    with pytest.raises(Rejected, match="damaged"):
        read_header(path, "image/heic", 2_000_000)


@given(st.binary(max_size=2000), st.sampled_from([b"", *(data[:32] for data in SAMPLES.values())]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_random_bytes_never_raise_anything_else(noise: bytes, head: bytes) -> None:
    examine(head + noise)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_never_raise_anything_else(form: str, data: st.DataObject) -> None:
    original = bytearray(SAMPLES[form])
    places = data.draw(st.lists(st.integers(0, len(original) - 1), min_size=1, max_size=8))
    for place in places:
        original[place] = data.draw(st.integers(0, 255))
    examine(bytes(original))
