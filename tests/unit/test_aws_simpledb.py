"""The SimpleDB adapter beyond the port's contract: shards, batches, lost answers. Our fake stands behind."""

from collections import Counter
from collections.abc import Iterator

import pytest
import simpledb_server
from simpledb_fake import FakeSimpleDb

from infra.aws.client import Clients
from infra.aws.simpledb import SimpleDbKeyValue
from infra.aws.simpledb_domains import NamedDomains
from infra.errors import ConditionFailed, Unavailable


@pytest.fixture
def fake() -> FakeSimpleDb:
    return FakeSimpleDb()


@pytest.fixture
def media(fake: FakeSimpleDb, keys: None) -> Iterator[SimpleDbKeyValue]:
    with simpledb_server.running(fake) as url:
        clients = Clients(region="us-east-1", endpoint_url=url)
        yield SimpleDbKeyValue(clients, NamedDomains(clients, "media", 4))
        clients.close()


def test_items_are_spread_over_the_domains_for_good(media: SimpleDbKeyValue, fake: FakeSimpleDb) -> None:
    media.put_many({f"t/{number}": {"v": "1"} for number in range(200)})
    sizes = {name: len(items) for name, items in fake.domains.items()}
    assert sorted(sizes) == ["media-0", "media-1", "media-2", "media-3"]
    assert min(sizes.values()) > 30
    # Where an item is must never change: these were written by an earlier release.
    assert {name: domain for domain, items in fake.domains.items() for name in items if name in {"t/0", "t/1"}} == {
        "t/0": "media-3",
        "t/1": "media-0",
    }


def test_batches_hold_25_items_and_stay_below_a_megabyte(media: SimpleDbKeyValue, fake: FakeSimpleDb) -> None:
    media.put("t/first", {"v": "1"})  # The domains exist.
    fake.calls.clear()
    media.put_many({f"s/{number}": {"v": "1"} for number in range(100)})
    assert Counter(fake.calls) == {"BatchPutAttributes": sum(-(-count // 25) for count in spread(fake, "s/"))}
    wide = {
        f"n{number}": "\u20ac" * 341 for number in range(200)
    }  # 205 kB an item; nine bytes a character on the wire.
    media.put_many({f"w/{number}": wide for number in range(12)})
    assert [item for item, attributes in media.items("w/") if attributes == wide] == sorted(f"w/{n}" for n in range(12))
    fake.calls.clear()
    batches = sum(-(-count // 25) for count in spread(fake, "s/"))
    assert media.delete_prefix("s/") == 100
    assert Counter(fake.calls) == {"Select": 4, "BatchDeleteAttributes": batches}


def spread(fake: FakeSimpleDb, prefix: str) -> list[int]:
    return [sum(name.startswith(prefix) for name in items) for items in fake.domains.values()]


def test_a_conditional_put_whose_answer_was_lost_has_succeeded(media: SimpleDbKeyValue, fake: FakeSimpleDb) -> None:
    media.put("t/a", {"v": "1"})
    fake.lose_answers = 1
    media.put("t/a", {"v": "2"}, expect=("v", "1"))  # botocore tries again, and meets its own write.
    assert media.get("t/a") == {"v": "2"}
    fake.lose_answers = 1
    with pytest.raises(ConditionFailed):
        media.put("t/a", {"v": "4"}, expect=("v", "3"))


def test_an_outage_is_told_as_such(media: SimpleDbKeyValue, fake: FakeSimpleDb) -> None:
    media.put("t/a", {"v": "1"})
    fake.lose_answers = 4  # As often as botocore tries.
    with pytest.raises(Unavailable):
        media.get("t/a")
    assert media.get("t/a") == {"v": "1"}
