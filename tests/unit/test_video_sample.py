"""The film of photographs that a first run shows."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from video_clips import decodes, grey, picture, probe

from processor import sample_video


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_video, "WIDTH", 160)
    monkeypatch.setattr(sample_video, "HEIGHT", 90)
    monkeypatch.setattr(sample_video, "SECONDS", 1.5)
    monkeypatch.setattr(sample_video, "FADE", 0.5)


def test_a_folder_of_photographs_becomes_a_film(tmp_path: Path) -> None:
    for number, colour in enumerate(("white", "black", "white", "black")):
        Image.new("RGB", (400, 300), colour).save(tmp_path / f"{number}.jpg")
    target = tmp_path / "film.mp4"
    result = CliRunner().invoke(sample_video.command, [str(tmp_path), str(target)])
    assert result.exit_code == 0, result.output
    assert "3 photographs" in result.output
    assert decodes(target) == ""
    shown = picture(target)
    assert (shown["width"], shown["height"]) == (160, 90)
    assert float(probe(target, "-show_format")["format"]["duration"]) == pytest.approx(3.5, abs=0.1)
    first, second = grey(target, 0.2)[4][4], grey(target, 1.7)[4][4]
    assert first > 200 and second < 40


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(sample_video.command, [str(tmp_path), str(tmp_path / "film.mp4")])
    assert result.exit_code == 1
    assert "photographs" in result.output
