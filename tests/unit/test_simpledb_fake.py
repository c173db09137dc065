"""The fake SimpleDB does what the developer guide says. Through boto3, so botocore checks its model of the service."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import simpledb_server
from botocore.exceptions import ClientError
from simpledb_fake import FakeSimpleDb
from simpledb_select import InvalidQuery, parse

SMALL = {"Name": "a", "Value": "1"}


@pytest.fixture
def fake() -> FakeSimpleDb:
    return FakeSimpleDb(most=4)


def client(url: str, key: str = "double") -> Any:
    return boto3.session.Session().client(
        "sdb",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="double",
        aws_secret_access_key=key,
    )


@pytest.fixture
def sdb(fake: FakeSimpleDb) -> Iterator[Any]:
    with simpledb_server.running(fake) as url:
        sdb = client(url)
        sdb.create_domain(DomainName="dom")
        yield sdb
        sdb.close()


def refused(call: Any, **request: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def put(sdb: Any, item: str, *attributes: dict[str, Any], **more: Any) -> None:
    sdb.put_attributes(DomainName="dom", ItemName=item, Attributes=list(attributes), **more)


def get(sdb: Any, item: str, *, consistent: bool = True) -> list[tuple[str, str]]:
    answer = sdb.get_attributes(DomainName="dom", ItemName=item, ConsistentRead=consistent)
    return [(each["Name"], each["Value"]) for each in answer.get("Attributes", [])]


def test_a_wrong_signature_is_refused(fake: FakeSimpleDb) -> None:
    with simpledb_server.running(fake) as url:
        forger = client(url, key="guess")
        assert refused(forger.create_domain, DomainName="dom") == (403, "SignatureDoesNotMatch")
        forger.close()
    assert fake.domains == {}


def test_attributes_have_sets_of_values_unless_replaced(sdb: Any) -> None:
    put(sdb, "i", SMALL, {"Name": "a", "Value": "2"})
    assert get(sdb, "i") == [("a", "1"), ("a", "2")]
    put(sdb, "i", {"Name": "a", "Value": "3", "Replace": True})
    assert get(sdb, "i") == [("a", "3")]


def test_an_inconsistent_read_may_be_old(sdb: Any) -> None:
    put(sdb, "i", SMALL)
    assert get(sdb, "i", consistent=False) == []
    assert get(sdb, "i") == [("a", "1")]
    query = "select * from dom"
    assert "Items" not in sdb.select(SelectExpression=query)
    assert len(sdb.select(SelectExpression=query, ConsistentRead=True)["Items"]) == 1


def test_conditions(sdb: Any) -> None:
    def conditional(**expected: Any) -> tuple[int, str]:
        change = [{"Name": "a", "Value": "9", "Replace": True}]
        return refused(sdb.put_attributes, DomainName="dom", ItemName="i", Attributes=change, Expected=expected)

    assert conditional(Name="a", Value="1") == (404, "AttributeDoesNotExist")
    put(sdb, "i", SMALL, Expected={"Name": "a", "Exists": False})
    assert conditional(Name="a", Exists=False) == (409, "ConditionalCheckFailed")
    assert conditional(Name="a", Value="2") == (409, "ConditionalCheckFailed")
    put(sdb, "i", {"Name": "a", "Value": "2"}, Expected={"Name": "a", "Value": "1"})
    assert conditional(Name="a", Value="1") == (409, "MultiValuedAttribute")
    assert get(sdb, "i") == [("a", "1"), ("a", "2")]


def test_limits_of_a_put(sdb: Any) -> None:
    def attempt(item: str, *attributes: dict[str, Any], domain: str = "dom") -> tuple[int, str]:
        return refused(sdb.put_attributes, DomainName=domain, ItemName=item, Attributes=list(attributes))

    many = [{"Name": "n", "Value": str(number)} for number in range(257)]
    assert attempt("i", *many) == (409, "NumberSubmittedAttributesExceeded")
    put(sdb, "i", *many[:256])
    assert attempt("i", many[256]) == (409, "NumberItemAttributesExceeded")
    assert attempt("j", {"Name": "a", "Value": "x" * 1025}) == (400, "InvalidParameterValue")
    assert attempt("j", {"Name": "é" * 513, "Value": ""}) == (400, "InvalidParameterValue")
    assert attempt("j" * 1025, SMALL) == (400, "InvalidParameterValue")
    assert attempt("j", {"Name": "", "Value": "x"}) == (400, "MissingParameter")
    assert attempt("j") == (400, "MissingParameter")
    assert attempt("j", SMALL, domain="other") == (400, "NoSuchDomain")
    assert len(get(sdb, "i")) == 256 and get(sdb, "j") == []


def test_batches(sdb: Any) -> None:
    def batch(names: list[str], value: str = "1") -> dict[str, Any]:
        attributes = [{"Name": "a", "Value": value, "Replace": True}]
        return {"DomainName": "dom", "Items": [{"Name": name, "Attributes": attributes} for name in names]}

    names = [f"i{number}" for number in range(26)]
    assert refused(sdb.batch_put_attributes, **batch(names)) == (409, "NumberSubmittedItemsExceeded")
    assert refused(sdb.batch_put_attributes, **batch(["i", "i"])) == (400, "DuplicateItemName")
    put(sdb, "full", *({"Name": "n", "Value": str(number)} for number in range(256)))
    assert refused(sdb.batch_put_attributes, **batch(["i0", "full"])) == (409, "NumberItemAttributesExceeded")
    assert get(sdb, "i0") == []
    sdb.batch_put_attributes(**batch(names[:25]))
    assert get(sdb, "i24") == [("a", "1")]
    heavy = [{"Name": f"n{number}", "Value": "\u20ac" * 341} for number in range(120)]
    items = [{"Name": name, "Attributes": heavy} for name in ("h1", "h2", "h3")]
    assert refused(sdb.batch_put_attributes, DomainName="dom", Items=items) == (413, "RequestTooLarge")
    gone = [{"Name": name} for name in names[:20]]
    sdb.batch_delete_attributes(DomainName="dom", Items=gone)
    left = sdb.select(SelectExpression="select count(*) from dom where itemName() < 'j'", ConsistentRead=True)
    assert left["Items"][0]["Attributes"] == [{"Name": "Count", "Value": "6"}]  # "full" is one.


def test_deleting_without_attributes_deletes_the_item(sdb: Any) -> None:
    put(sdb, "i", SMALL)
    for _ in range(2):
        sdb.delete_attributes(DomainName="dom", ItemName="i")
    assert get(sdb, "i") == []


def test_a_select_is_sorted_and_paged(sdb: Any) -> None:
    for number in range(9):
        put(sdb, f"i{number}", {"Name": "big", "Value": "x" * 1024})
    query = "select * from `dom` where itemName() >= 'i2' and itemName() != 'i5' order by itemName() limit 3"
    found: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = sdb.select(SelectExpression=query, ConsistentRead=True, **token)
        found.append([item["Name"] for item in page["Items"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == [["i2", "i3", "i4"], ["i6", "i7", "i8"]]
    assert refused(sdb.select, SelectExpression="select * from dom", **token) == (400, "InvalidNextToken")


def test_a_page_is_at_most_a_megabyte(sdb: Any, fake: FakeSimpleDb) -> None:
    fake.most = 2500
    for number in range(5):
        put(sdb, f"i{number}", *({"Name": f"n{n}", "Value": "x" * 1024} for n in range(256)))
    page = sdb.select(SelectExpression="select * from dom limit 2500", ConsistentRead=True)
    assert 1 <= len(page["Items"]) < 5 and page["NextToken"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select", "InvalidQueryExpression"),
        ("select * from dom where", "InvalidQueryExpression"),
        ("select * from dom where itemName() = unquoted", "InvalidQueryExpression"),
        ("select * from dom where itemName() = 'it's'", "InvalidQueryExpression"),
        ("select * from dom order by itemName()", "InvalidSortExpression"),
        ("select * from dom limit 2501", "InvalidQueryExpression"),
        ("select * from dom; drop", "InvalidQueryExpression"),
        (
            " and ".join(["select * from dom where itemName() > 'x'", *["itemName() > 'x'"] * 20]),
            "InvalidNumberPredicates",
        ),
    ],
)
def test_queries_that_are_refused(query: str, code: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse(query)
    assert caught.value.code == code


def test_quoting_in_a_query() -> None:
    query = parse("select itemName() from `a``b-1` where itemName() = 'it''s' order by itemName() desc limit 7")
    assert (query.what, query.domain, query.descending, query.limit) == ("itemName()", "a`b-1", True, 7)
    assert query.matches("it's") and not query.matches("its")
    assert parse('select * from d where itemName() >= "say ""no"""').matches('say "no"')
