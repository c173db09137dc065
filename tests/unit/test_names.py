"""Ids and object keys."""

import pytest

from tenants import names

TENANT, ASSET = names.new_id(), names.new_id()


def test_ids_are_well_formed_and_sort_by_time() -> None:
    made = [names.new_id() for _ in range(50)]
    assert all(names.is_id(one) for one in made)
    assert len(set(made)) == 50
    assert made[0][:8] <= made[-1][:8]


@pytest.mark.parametrize("text", ["", "x" * 26, "0" * 25, "0" * 27, "0" * 25 + "I", "../" + "0" * 23, "8" + "0" * 25])
def test_what_is_not_an_id(text: str) -> None:
    assert not names.is_id(text)


def test_keys_follow_the_scheme() -> None:
    assert names.original_key(TENANT, ASSET, "a" * 64) == f"t/{TENANT}/o/{ASSET}/{'a' * 64}"
    assert names.rendition_key(TENANT, ASSET, 3, "w640.jpg") == f"t/{TENANT}/r/{ASSET}/3/w640.jpg"
    assert names.rendition_key(TENANT, ASSET, 3, "hls/v720.m3u8").endswith("/3/hls/v720.m3u8")
    assert names.intake_key(TENANT, ASSET) == f"t/{TENANT}/in/{ASSET}"


@pytest.mark.parametrize("name", ["", "/x", "../x", "a/../b.jpg", "A.jpg", "a b.jpg", "x.jpg\n", "a/b/c/d.jpg", ".x"])
def test_rendition_names_cannot_leave_their_generation(name: str) -> None:
    with pytest.raises(ValueError, match="rendition name"):
        names.rendition_key(TENANT, ASSET, 1, name)


def test_keys_refuse_what_a_user_could_send() -> None:
    with pytest.raises(ValueError, match="not an id"):
        names.original_key("../../etc", ASSET, "a" * 64)
    with pytest.raises(ValueError, match="SHA-256"):
        names.original_key(TENANT, ASSET, "../passwd")
    with pytest.raises(ValueError, match="from 1"):
        names.generation_prefix(TENANT, ASSET, 0)


@pytest.mark.parametrize(
    ("slug", "fine"), [("a", True), ("studio-9", True), ("-a", False), ("A", False), ("a.b", False), ("a" * 64, False)]
)
def test_slugs_are_dns_labels(slug: str, fine: bool) -> None:
    assert names.is_slug(slug) is fine
