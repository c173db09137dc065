"""tus headers, whatever a client sends in them."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import Problem
from uploader import protocol

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=20)


@given(st.dictionaries(KEYS, st.text(st.characters(exclude_categories=("Cs",)), max_size=40), max_size=6))
def test_metadata_round_trips(pairs: dict[str, str]) -> None:
    header = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())
    assert protocol.metadata(header) == pairs


@given(st.text(max_size=60))
def test_any_metadata_is_read_or_refused(header: str) -> None:
    try:
        assert isinstance(protocol.metadata(header), dict)
    except Problem as problem:
        assert problem.status == 400


@given(st.text(max_size=60))
def test_any_checksum_is_read_or_refused(header: str) -> None:
    try:
        assert protocol.checksum(header) is not None
    except Problem as problem:
        assert problem.status == 400


def test_a_key_without_value_is_allowed() -> None:
    assert protocol.metadata("is_confidential,filename YQ==") == {"is_confidential": "", "filename": "a"}


@pytest.mark.parametrize("header", ["filename YQ==,filename YQ==", ",", "filename YQ", "näme YQ==", "a /w=="])
def test_bad_metadata(header: str) -> None:
    with pytest.raises(Problem):
        protocol.metadata(header)


@pytest.mark.parametrize("value", ["-1", "1.5", "1e3", "٣", " 1", "9" * 20])
def test_bad_numbers(value: str) -> None:
    with pytest.raises(Problem, match="non-negative integer"):
        protocol.number({"Upload-Offset": value}, "Upload-Offset")


def test_final_names_its_parts_in_order() -> None:
    kind, parts = protocol.concat("final;/files/b https://upload.example/files/a/")
    assert (kind, parts) == ("final", ("b", "a"))
