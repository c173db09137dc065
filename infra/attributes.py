"""SimpleDB's limits on attributes, which hold whatever stands behind the KeyValue port."""

import re
from collections.abc import Mapping

MAX_ATTRIBUTES = 256  # Of an item.
MAX_BYTES = 1024  # Of a name or a value, in UTF-8.

# SimpleDB answers in XML, where these cannot be or do not come back as they were.
_UNCARRIED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def check(item: str, attributes: Mapping[str, str]) -> None:
    """Raises `ValueError` for what no item can hold."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(f"{item}: at most {MAX_ATTRIBUTES} attributes")
    for text in (item, *attributes):
        if not text:
            raise ValueError("names are not empty")
    for name, value in ((item, ""), *attributes.items()):
        for text in (name, value):
            if _UNCARRIED.search(text):
                raise ValueError(f"{name!r}: names and values hold no control characters")
            if len(text.encode()) > MAX_BYTES:
                raise ValueError(f"{name}: names and values hold at most {MAX_BYTES} bytes")


def fitted(text: str) -> str:
    """As much of `text` as a value can hold."""
    return _UNCARRIED.sub("", text).encode()[:MAX_BYTES].decode(errors="ignore")
