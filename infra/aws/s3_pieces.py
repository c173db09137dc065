"""How stored pieces become the parts of a multipart upload: S3's 5 MiB rule, in one place and without S3."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

MIB = 1024 * 1024

# S3: every part but the last has at least 5 MiB, a copied part at most 5 GiB, an upload at most 10,000 parts. Smaller
# copies than that run side by side.
LEAST = 5 * MIB
MOST = 1024 * MIB
PARTS = 10_000


@dataclass(frozen=True)
class Piece:
    """`length` bytes of the object `key` from `start`."""

    key: str
    start: int
    length: int


def clip(pieces: Iterable[Piece], length: int) -> Iterator[Piece]:
    """The first `length` bytes of the pieces' concatenation; fewer if there are not so many."""
    for piece in pieces:
        if length <= 0:
            return
        yield piece if piece.length <= length else replace(piece, length=length)
        length -= piece.length


def skip(pieces: Iterable[Piece], offset: int) -> Iterator[Piece]:
    """The concatenation without its first `offset` bytes."""
    for piece in pieces:
        if offset < piece.length:
            yield replace(piece, start=piece.start + offset, length=piece.length - offset)
        offset = max(0, offset - piece.length)


def plan(pieces: Iterable[Piece], *, least: int = LEAST, most: int = MOST) -> list[list[Piece]]:
    """The pieces as parts, in order. A part of one piece can be copied by S3; one of several has to be read.

    Only what is too small to be a part is read, with as much of its successor as makes it large enough: a part that
    is read has fewer than three times `least` bytes.
    """
    parts: list[list[Piece]] = []
    small: list[Piece] = []
    for piece in pieces:
        lacking = least - sum(each.length for each in small)
        if not small and piece.length >= least:
            parts += _split(piece, most)
        elif small and piece.length - lacking >= least:
            parts.append([*small, replace(piece, length=lacking)])
            parts += _split(replace(piece, start=piece.start + lacking, length=piece.length - lacking), most)
            small = []
        else:
            small.append(piece)
            if piece.length >= lacking:
                parts.append(small)
                small = []
    return [*parts, small] if small else parts


def _split(piece: Piece, most: int) -> Iterator[list[Piece]]:
    """Parts of about the same size, none larger than `most`."""
    count = -(-piece.length // most)
    edges = [piece.length * number // count for number in range(count + 1)]
    for start, end in pairwise(edges):
        yield [Piece(piece.key, piece.start + start, end - start)]
