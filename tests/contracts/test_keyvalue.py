"""The KeyValue contract (infra/ports.py), with SimpleDB's limits."""

import pytest
from sqlalchemy import Engine

from infra.errors import ConditionFailed
from infra.local.keyvalue import SqlKeyValue
from infra.ports import KeyValue


@pytest.fixture
def media(engine: Engine) -> KeyValue:
    return SqlKeyValue(engine)


def test_put_replaces_what_it_names_and_leaves_the_rest(media: KeyValue) -> None:
    media.put("t/a", {"camera": "X100", "iso": "200"})
    media.put("t/a", {"iso": "400"})
    assert media.get("t/a") == {"camera": "X100", "iso": "400"}
    assert media.get("t/unknown") == {}


def test_a_condition_guards_a_put(media: KeyValue) -> None:
    media.put("t/a", {"v": "1"}, expect=("v", None))
    media.put("t/a", {"v": "2"}, expect=("v", "1"))
    with pytest.raises(ConditionFailed):
        media.put("t/a", {"v": "3"}, expect=("v", "1"))
    with pytest.raises(ConditionFailed):
        media.put("t/a", {"v": "3"}, expect=("v", None))
    assert media.get("t/a") == {"v": "2"}


def test_limits_are_refused_before_anything_is_written(media: KeyValue) -> None:
    with pytest.raises(ValueError, match="1024"):
        media.put("t/a", {"ok": "1", "long": "é" * 513})
    with pytest.raises(ValueError, match="256"):
        media.put("t/a", {f"n{number}": "" for number in range(257)})
    assert media.get("t/a") == {}
    media.put("t/a", {f"n{number}": "" for number in range(256)})
    with pytest.raises(ValueError, match="256"):
        media.put("t/a", {"one more": ""})


def test_items_by_prefix_take_wildcards_literally(media: KeyValue) -> None:
    for item in ("t/a", "t/b", "t_c", "u/a"):
        media.put(item, {"name": item})
    assert list(media.items("t/")) == [("t/a", {"name": "t/a"}), ("t/b", {"name": "t/b"})]
    assert [item for item, _ in media.items("t_")] == ["t_c"]


def test_delete(media: KeyValue) -> None:
    media.put("t/a", {"v": "1"})
    media.delete("t/a")
    media.delete("t/a")
    assert media.get("t/a") == {}
