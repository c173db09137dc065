"""What every blob store takes for an object key."""

import re

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def checked(key: str) -> str:
    """The key: slash-separated names that a file system, a URL and S3 all take as they are. Raises `ValueError`."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def checked_folder(prefix: str) -> str:
    """A prefix that names whole folders. Raises `ValueError`."""
    if not prefix.endswith("/"):
        raise ValueError("a prefix to delete ends in a slash")
    return prefix
