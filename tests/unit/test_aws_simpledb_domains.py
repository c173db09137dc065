"""Domains that a stack made: never created, and never read or written by another list. Our fake stands behind."""

from collections.abc import Callable, Iterator

import pytest
import simpledb_server
from simpledb_fake import FakeSimpleDb

from infra.aws.client import Clients
from infra.aws.simpledb import SimpleDbKeyValue
from infra.aws.simpledb_domains import MARK, GivenDomains, WrongDomains

MADE = ["stack-Media2-K3", "stack-Media0-Z9", "stack-Media1-A1"]
PLACES = {"t/0": MADE[1], "t/1": MADE[0], "t/2": MADE[2]}
Process = Callable[..., SimpleDbKeyValue]


@pytest.fixture
def fake() -> FakeSimpleDb:
    fake = FakeSimpleDb()
    for name in [*MADE, "stack-Media3-B2"]:
        fake.answer({"Action": "CreateDomain", "DomainName": name})
    fake.calls.clear()
    return fake


@pytest.fixture
def process(fake: FakeSimpleDb, keys: None) -> Iterator[Process]:
    """A process of its own: what another one knows of the domains it has to find out."""
    with simpledb_server.running(fake) as url:
        clients = Clients(region="us-east-1", endpoint_url=url)
        yield lambda *names: SimpleDbKeyValue(clients, GivenDomains(clients, names or MADE))
        clients.close()


def test_items_are_where_the_order_of_the_list_says_and_nothing_is_created(
    process: Process, fake: FakeSimpleDb
) -> None:
    items = {f"t/{number}": {"v": str(number)} for number in range(30)}
    process().put_many(items)
    assert dict(process().items("t/")) == items
    assert "CreateDomain" not in fake.calls
    assert all(len(fake.domains[name]) > 5 for name in MADE)
    # Where an item is must never change.
    places = {item: name for name in MADE for item in fake.domains[name] if item in {"t/0", "t/1", "t/2"}}
    assert places == PLACES


@pytest.mark.parametrize(
    "names",
    [
        [MADE[1], MADE[0], MADE[2]],
        MADE[:2],
        [*MADE, "stack-Media3-B2"],
        [MADE[0], MADE[1], "stack-Media3-B2"],
    ],
    ids=["another order", "one less", "one more", "one replaced"],
)
def test_another_list_is_refused_before_anything_moves(process: Process, fake: FakeSimpleDb, names: list[str]) -> None:
    process().put_many({f"t/{number}": {"v": "1"} for number in range(30)})
    before = {name: dict(items) for name, items in fake.domains.items()}
    other = process(*names)
    for number in range(30):
        with pytest.raises(WrongDomains):
            other.put(f"t/{number}", {"v": "2"})
        with pytest.raises(WrongDomains):
            other.get(f"t/{number}")
        with pytest.raises(WrongDomains):
            other.delete(f"t/{number}")
    with pytest.raises(WrongDomains):
        other.put_many({"t/1": {"v": "2"}})
    with pytest.raises(WrongDomains):
        other.delete_prefix("t/")
    with pytest.raises(WrongDomains):
        list(other.items("t/"))
    assert fake.domains == before


def test_a_domain_that_was_emptied_is_told(process: Process, fake: FakeSimpleDb) -> None:
    process().put_many({f"t/{number}": {"v": "1"} for number in range(30)})
    for lost in MADE:
        kept = dict(fake.domains[lost])
        item = next(name for name in kept if name != MARK)
        fake.domains[lost].clear()
        for act in (process().get, lambda name: process().put(name, {"v": "2"})):
            with pytest.raises(WrongDomains, match=f"{lost}: no mark"):
                act(item)
        fake.domains[lost].update(kept)
    assert process().get("t/1") == {"v": "1"}


def test_a_domain_that_is_not_there_is_told_and_not_made(process: Process, fake: FakeSimpleDb) -> None:
    with pytest.raises(WrongDomains, match="nowhere: SimpleDB has no such domain"):
        process("nowhere").put("t/1", {"v": "1"})
    media = process()
    media.put("t/1", {"v": "1"})
    for name in MADE:
        del fake.domains[name]
    with pytest.raises(WrongDomains, match="never created"):
        media.get("t/1")
    assert "CreateDomain" not in fake.calls


def test_a_reader_asks_nothing_of_an_empty_installation_but_to_be_right(process: Process, fake: FakeSimpleDb) -> None:
    reader = process()
    assert reader.get("t/1") == {}
    reader.delete("t/1")
    assert fake.domains == {name: {} for name in fake.domains}  # Its role may not put anything.
    other = process(*reversed(MADE))
    assert other.get("t/1") == {}
    process().put("t/1", {"v": "1"})
    assert reader.get("t/1") == {"v": "1"}
    with pytest.raises(WrongDomains):
        other.get("t/1")


def test_a_writer_that_died_while_it_marked_is_gone_on_from(process: Process, fake: FakeSimpleDb) -> None:
    items = {f"t/{number}": {"v": "1"} for number in range(30)}
    process().put("t/1", {"v": "1"})
    del fake.domains[MADE[2]][MARK]
    del fake.domains[MADE[0]][MARK]["whole"]
    process().put_many(items)
    assert MARK in fake.domains[MADE[2]]
    assert "whole" in fake.domains[MADE[0]][MARK]
    assert dict(process().items("t/")) == items


def test_the_mark_is_read_once_a_process_and_shown_to_nobody(process: Process, fake: FakeSimpleDb) -> None:
    media = process()
    media.put("t/1", {"v": "1"})
    fake.calls.clear()
    media.put("t/1", {"v": "2"})
    assert fake.calls == ["PutAttributes"]
    assert [item for item, _ in media.items("")] == ["t/1"]
    assert media.delete_prefix("vitrine") == 0
    with pytest.raises(ValueError, match="own items"):
        media.put(MARK, {"shard": "7"})
