"""Why a file was refused, as far as the sentence holds numbers or is made of two.

An asset keeps its reason as one English sentence, which logs and commands show as it is. Pages need the parts again to
have them translated: `parts` finds them.
"""

import re
from collections.abc import Iterator

from infra.errors import N_

ACCEPTED = N_("Photos may be JPEG, PNG, WebP, AVIF, HEIC, TIFF or GIF; videos MP4, MOV, WebM, MKV, AVI or MPEG-TS.")
"""Follows the sentences about files of another kind."""

PHOTO_SIDE = N_("The photo claims %(size)s pixels; a side may have %(most)s at most.")
PHOTO_FRAMES = N_("The file has %(frames)s frames; %(most)s are accepted at most.")
PHOTO_SIZE = N_("The photo is %(size)s pixels, more than the %(most)s megapixels accepted.")
ANIMATION_SIZE = N_("The photo is %(size)s pixels x %(frames)s frames, more than the %(most)s megapixels accepted.")
VIDEO_TINY = N_("The picture is %(size)s pixels: too small, or the file is damaged.")
VIDEO_SIZE = N_("The picture is %(size)s pixels; up to 8K (7680 x 4320) is accepted.")
VIDEO_LENGTH = N_("The video is %(length)s long; up to %(most)s is accepted.")
VIDEO_CUT = N_(
    "The video is cut off: %(length)s of %(whole)s are in the file. Copy it from the camera again and upload that."
)
FILLED = (
    PHOTO_SIDE,
    PHOTO_FRAMES,
    PHOTO_SIZE,
    ANIMATION_SIZE,
    VIDEO_TINY,
    VIDEO_SIZE,
    VIDEO_LENGTH,
    VIDEO_CUT,
)


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>[\\d:,. x]+?)", re.escape(sentence)))


_PATTERNS = {sentence: _pattern(sentence) for sentence in FILLED}


def filled(sentence: str, **values: object) -> str:
    """The reason as it is stored."""
    return sentence % values


def parts(reason: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The sentences of a stored reason, each with what fills its `%(name)s`."""
    first = reason.removesuffix(" " + ACCEPTED)
    for sentence, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(first):
            yield sentence, found.groupdict()
            break
    else:
        yield first, {}
    if first != reason:
        yield ACCEPTED, {}
