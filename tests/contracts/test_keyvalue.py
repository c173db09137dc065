"""The KeyValue contract (infra/ports/attributes.py), with SimpleDB's limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import simpledb_server
from behind import REGION, SIMPLEDB, SQL, sql_engine
from simpledb_fake import FakeSimpleDb

from infra.aws.client import Clients
from infra.aws.simpledb import SimpleDbKeyValue
from infra.aws.simpledb_domains import Domains, GivenDomains, NamedDomains
from infra.errors import ConditionFailed
from infra.local.keyvalue import SqlKeyValue
from infra.ports import KeyValue


@pytest.fixture(scope="module")
def fake() -> Iterator[Clients]:
    """Clients of a fake whose pages hold three items, so that every listing here takes several."""
    with (
        pytest.MonkeyPatch.context() as patch,
        simpledb_server.running(FakeSimpleDb(most=3)) as url,
        clients_of(url) as clients,
    ):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "double")
        yield clients


@contextmanager
def clients_of(endpoint: str | None) -> Iterator[Clients]:
    clients = Clients(region=REGION, endpoint_url=endpoint)
    yield clients
    clients.close()


GIVEN = ", domains given"


@pytest.fixture(params=[*SQL, *SIMPLEDB, *(behind + GIVEN for behind in SIMPLEDB)])
def media(request: pytest.FixtureRequest, tmp_path: Path, unique: str) -> Iterator[KeyValue]:
    if request.param in SQL:
        with sql_engine(request.param, tmp_path) as engine:
            yield SqlKeyValue(engine)
    elif request.param.startswith("simpledb: AWS"):
        with clients_of(None) as clients:
            yield from simpledb(clients, unique, given=request.param.endswith(GIVEN))
    else:
        yield from simpledb(request.getfixturevalue("fake"), unique, given=request.param.endswith(GIVEN))


def simpledb(clients: Clients, domain: str, *, given: bool) -> Iterator[SimpleDbKeyValue]:
    """On three domains, which the adapter is to create, or that a stack made: their names tell no order."""
    domains: Domains = NamedDomains(clients, domain, 3)
    if given:
        domains = GivenDomains(clients, [f"{domain}-{name}" for name in ("B7K", "A2X", "C9Q")])
        for name in domains.names:
            clients.get("sdb").create_domain(DomainName=name)
    yield SimpleDbKeyValue(clients, domains)
    for name in domains.names:
        clients.get("sdb").delete_domain(DomainName=name)


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


@pytest.mark.parametrize("text", ["\x00", "a\rb", "\x1b[0m", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_refused(media: KeyValue, text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        media.put("t/a", {"name": text})
    with pytest.raises(ValueError, match="control characters"):
        media.put("t/a", {text: "value"})
    assert media.get("t/a") == {}


def test_values_come_back_as_they_were(media: KeyValue) -> None:
    attributes = {"empty": "", "spaces": "  two  ", "lines": "a\n\tb", "markup": "<&>\"'`%_", "wide": "żółć 🎞"}
    media.put("t/a", attributes)
    assert media.get("t/a") == attributes
    assert dict(media.items("t/")) == {"t/a": attributes}


def test_a_condition_on_nothing_to_write(media: KeyValue) -> None:
    media.put("t/a", {})
    media.put("t/a", {}, expect=("v", None))
    with pytest.raises(ConditionFailed):
        media.put("t/a", {}, expect=("v", "1"))
    assert list(media.items("t/")) == []


def test_many_at_once(media: KeyValue) -> None:
    media.put("t/07", {"v": "old", "kept": "yes"})
    media.put_many({f"t/{number:02}": {"v": str(number)} for number in range(60)} | {"t/none": {}})
    found = list(media.items("t/"))
    assert [item for item, _ in found] == [f"t/{number:02}" for number in range(60)]
    assert found[7] == ("t/07", {"v": "7", "kept": "yes"})
    with pytest.raises(ValueError, match="1024"):
        media.put_many({"t/fine": {"v": "1"}, "t/long": {"v": "x" * 1025}})
    assert media.get("t/fine") == {}


def test_delete_by_prefix_is_exact(media: KeyValue) -> None:
    for item in ("t/a", "t/b", "T/c", "t_c", "t", "u/a"):
        media.put(item, {"name": item})
    assert media.delete_prefix("t/") == 2
    assert [item for item, _ in media.items("")] == ["T/c", "t", "t_c", "u/a"]
    assert media.delete_prefix("t/") == 0
    with pytest.raises(ValueError, match="empty prefix"):
        media.delete_prefix("")


def test_names_are_in_the_order_of_code_points(media: KeyValue) -> None:
    names = ["t/A", "t/_", "t/a", "t/a'b", "t/é", "t/\ue000", "t/\U0001f39e"]
    for name in reversed(names):
        media.put(name, {"v": "1"})
    assert [item for item, _ in media.items("t/")] == names
    assert [item for item, _ in media.items("t/a'")] == ["t/a'b"]


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
