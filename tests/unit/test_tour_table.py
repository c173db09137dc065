"""The tour of all pages is of all pages: one that is in no row fails here, without a browser."""

from flask import Flask
from tour_table import NO_PAGES, PAGES


def test_every_page_is_in_the_table_once(web: Flask) -> None:
    read = {
        rule.endpoint
        for rule in web.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] in ("dashboard", "operator")
    }
    toured = [row.endpoint for row in PAGES]
    others = [endpoint for endpoints in NO_PAGES.values() for endpoint in endpoints]
    assert sorted(toured + others) == sorted(read)
