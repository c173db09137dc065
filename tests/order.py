"""In which order files are handed to several test processes (`--dist loadfile --no-loadscope-reorder`).

A file is one process's, so a file of minutes that begins last leaves the others idle. By itself pytest-xdist goes by
the number of tests: the few and long ones of tests/faults came last, and all at once.
"""

from collections import Counter
from itertools import chain, zip_longest

import pytest

LONG = {
    "test_billing_streams.py",
    "test_processor_worker.py",
    "test_remote_import.py",
    "test_api_fuzz.py",
    "test_s3.py",
    "test_tour.py",
}
"""Files of a minute or more, beside those that kill processes."""


def files(items: list[pytest.Item]) -> None:
    """Long files first, in turn with those of many tests: the former mostly wait, the latter compute."""
    tests = Counter(item.path for item in items)
    waiting = {item.path for item in items if item.path.name in LONG or item.get_closest_marker("faults")}
    by_number = sorted(tests, key=lambda path: -tests[path])  # Stable, so it is the same in every process.
    long, short = ([path for path in by_number if (path in waiting) is wanted] for wanted in (True, False))
    place = {path: number for number, path in enumerate(filter(None, chain(*zip_longest(long, short))))}
    items.sort(key=lambda item: place[item.path])
