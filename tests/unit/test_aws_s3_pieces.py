"""Parts from pieces, and pieces from what writers left: no S3 needed."""

from hypothesis import given
from hypothesis import strategies as st

from infra.aws.s3_intake import ROOT, Epoch, epochs_of, resolve
from infra.aws.s3_pieces import LEAST, MIB, MOST, PARTS, Piece, clip, plan, skip

lengths = st.lists(st.integers(1, 60), max_size=40)


def pieces_of(sizes: list[int]) -> list[Piece]:
    return [Piece(f"o{number}", number, size) for number, size in enumerate(sizes)]


def spread(pieces: list[Piece]) -> list[tuple[str, int]]:
    """Every byte as (object, offset)."""
    return [(piece.key, piece.start + at) for piece in pieces for at in range(piece.length)]


@given(lengths)
def test_a_plan_keeps_every_byte_in_order_and_s3s_bounds(sizes: list[int]) -> None:
    pieces = pieces_of(sizes)
    parts = plan(pieces, least=5, most=12)
    assert spread([piece for part in parts for piece in part]) == spread(pieces)
    total = [sum(piece.length for piece in part) for part in parts]
    assert all(size >= 5 for size in total[:-1])
    assert all(size <= 12 for size, part in zip(total, parts, strict=True) if len(part) == 1)
    assert all(size < 15 for size, part in zip(total, parts, strict=True) if len(part) > 1)
    assert len(parts) <= sum(sizes) // 5 + 1


@given(lengths)
def test_only_what_is_too_small_is_read(sizes: list[int]) -> None:
    """Reading costs at most the small pieces and, for each run of them, what makes the run large enough."""
    parts = plan(pieces_of(sizes), least=5, most=12)
    read = sum(piece.length for part in parts if len(part) > 1 for piece in part)
    assert read <= sum(size for size in sizes if size < 5) + 10 * sum(len(part) > 1 for part in parts)


def test_full_windows_are_all_copied() -> None:
    parts = plan([*(Piece(f"w{number}", 0, 7 * MIB) for number in range(3)), Piece("tail", 0, 100)])
    assert [len(part) for part in parts] == [1, 1, 1, 1]


def test_the_largest_upload_fits_s3s_number_of_parts() -> None:
    assert len(plan([Piece("x", 0, PARTS * LEAST)], most=MOST)) <= PARTS
    worst = [Piece(f"o{number}", 0, size) for number in range(200) for size in (LEAST - 1, LEAST)]
    assert len(plan(worst)) <= sum(piece.length for piece in worst) // LEAST + 1


@given(lengths, st.integers(0, 500))
def test_clip_and_skip_divide_the_bytes(sizes: list[int], at: int) -> None:
    pieces = pieces_of(sizes)
    assert spread(list(clip(pieces, at))) + spread(list(skip(pieces, at))) == spread(pieces)
    assert len(spread(list(clip(pieces, at)))) == min(at, sum(sizes))


# --- What writers left ------------------------------------------------------------------------------------------------


def shape(epochs: list[Epoch]) -> list[tuple[str, int, int]]:
    return [(piece.key, piece.start, piece.length) for piece in resolve(epochs)]


def test_a_window_replaces_the_small_objects_it_holds() -> None:
    epoch = Epoch(1, 0, [(0, 4, "a"), (0, 10, "window"), (4, 8, "b"), (10, 12, "c")])
    assert shape([epoch]) == [("window", 0, 10), ("c", 0, 2)]


def test_a_later_writers_offset_cuts_what_came_before() -> None:
    first = Epoch(1, 0, [(0, 10, "a"), (10, 20, "b")])
    assert shape([first, Epoch(2, 15, [(15, 16, "c")])]) == [("a", 0, 10), ("b", 0, 5), ("c", 0, 1)]
    assert shape([first, Epoch(2, 15)]) == [("a", 0, 10), ("b", 0, 5)]
    assert shape([first, Epoch(2, 0)]) == []


def test_a_dead_writers_last_request_that_arrives_late_does_not_count() -> None:
    before = [Epoch(1, 0, [(0, 6, "a")]), Epoch(2, 6, [(6, 9, "new")])]
    late = [Epoch(1, 0, [(0, 6, "a"), (6, 11, "ghost")]), before[1]]
    assert shape(late) == shape(before) == [("a", 0, 6), ("new", 0, 3)]


def test_nothing_counts_behind_a_hole() -> None:
    assert shape([Epoch(1, 0, [(0, 5, "a"), (6, 9, "b")])]) == [("a", 0, 5)]
    assert shape([Epoch(1, 0, [(1, 5, "a")])]) == []


def test_names_tell_it_all() -> None:
    folder = f"{ROOT}t/01/in/u1/"
    names = [
        f"{folder}000001.{0:015d}.0a1b2c3d/{0:015d}-{7:015d}",
        f"{folder}000001.{0:015d}.0a1b2c3d/open",
        f"{folder}000002.{5:015d}.ffffffff/open",
    ]
    assert epochs_of(names, folder) == [Epoch(1, 0, [(0, 7, names[0])]), Epoch(2, 5)]


@given(st.data())
def test_any_sequence_of_writers_leaves_what_a_file_would_hold(data: st.DataObject) -> None:
    """Against a plain model: each writer cuts at its offset and appends; small objects, then windows over them."""
    model: list[int] = []
    epochs: list[Epoch] = []
    content: dict[str, list[int]] = {}
    for number in range(1, data.draw(st.integers(1, 6)) + 1):
        offset = data.draw(st.integers(0, len(model)))
        model = model[:offset]
        epoch = Epoch(number, offset)
        for _ in range(data.draw(st.integers(0, 5))):
            start = len(model)
            model += [number * 1000 + at for at in range(start, start + data.draw(st.integers(1, 9)))]
            for left in {start, start - start % 8} if data.draw(st.booleans()) else {start}:
                name = f"{number}/{left}-{len(model)}"
                content[name] = model[left:]
                epoch.spans.append((left, len(model), name))
        epochs.append(epoch)
    held = [content[piece.key][piece.start : piece.start + piece.length] for piece in resolve(epochs)]
    assert [byte for piece in held for byte in piece] == model
