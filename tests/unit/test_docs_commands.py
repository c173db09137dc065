"""Whatever README.md and docs/*.md tell somebody to type exists: commands with their options, settings, make's targets.

Only what is typed is read: code spans and code blocks. `flask --app wsgi …` and `vitrine …` (infra/hosts/vitrine, and
README's alias) are the same commands.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra.settings import Settings, load
from wsgi import create_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Variables that are no settings of the application, and the file that reads each.
OTHERS = {
    "VITRINE_BENCH_EVENTS": "tests/bench/metering.py",
    "VITRINE_BENCH_TENANTS": "tests/bench/metering.py",
    "VITRINE_DEPLOYMENT": "infra/stack/deployment.py",
    "VITRINE_SNAPSHOT": "tests/stack_cdk/test_checks.py",
    "VITRINE_TEST_DATABASE": "tests/conftest.py",
}
SETTINGS = {f"VITRINE_{name.upper()}" for name in Settings.model_fields}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

_CODE = re.compile(r"^```.*?\n(.*?)^```|((?:^ {4}.*\n)+)|`([^`]+)`", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"\bVITRINE_[A-Z0-9_]*[A-Z0-9]\b")
_MAKE = re.compile(r"(?:^|[$&;] )\s*make ([a-z-]+)", re.MULTILINE)
_COMMAND = re.compile(r"(?:flask --app wsgi|(?:^|[$#&;] |Restart=always )\s*vitrine) ([a-z].*)$", re.MULTILINE)
_CONTINUED = re.compile(r"\s*\\\n\s*")
# Where a command ends: a comment, the next command, an answer that stands for itself, an argument that is left out.
_END = re.compile(r"\s#|\s\[|[;&|()<>…`]|\s{3}")


def code(text: str) -> Iterator[str]:
    """Each code block and code span; a span that is broken over two lines is one."""
    for block, indented, span in _CODE.findall(text):
        yield block or indented or " ".join(span.split())


def wrong_commands(text: str, group: click.Group) -> list[str]:
    """What `text` tells to type and `group` does not have: a line each."""
    return [f"{' '.join(words)}: {found}" for words in typed(text, group) if (found := _wrong(words, group))]


def typed(text: str, group: click.Group) -> list[list[str]]:
    """The words of each command in `text`, without what calls it. `billing settle ID`, by itself, is one as well."""
    lines = []
    for part in code(text):
        lines += _COMMAND.findall(_CONTINUED.sub(" ", part))
        named, _, rest = part.partition(" ")
        if rest[:1].islower() and isinstance(group.commands.get(named), click.Group):
            lines.append(part)
    return [_END.split(line)[0].split() for line in lines]


def _wrong(given: list[str], command: click.Command) -> str:
    words = list(given)
    while isinstance(command, click.Group) and words:
        if words[0] not in command.commands:
            return f"there is no {words[0]}"
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    missing = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"there is no option {', '.join(missing)}" if missing else ""


def wrong_variables(text: str) -> set[str]:
    return {name for name in _VARIABLE.findall(text) if name not in SETTINGS and name not in OTHERS}


def wrong_targets(text: str) -> set[str]:
    return {target for part in code(text) for target in _MAKE.findall(part)} - TARGETS


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> click.Group:
    return create_app(load(data_dir=tmp_path_factory.mktemp("docs"))).cli


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_tells_to_type_exists(page: Path, group: click.Group) -> None:
    text = page.read_text()
    assert wrong_commands(text, group) == []
    assert wrong_variables(text) == set()
    assert wrong_targets(text) == set()


def test_variables_of_tools_are_read_where_it_is_said() -> None:
    assert [name for name, path in OTHERS.items() if name not in (ROOT / path).read_text()] == []


def test_alarms_and_metrics_of_the_runbooks_exist() -> None:
    text = (ROOT / "docs/runbooks.md").read_text()
    stack = json.loads((ROOT / "tests/stack_cdk/snapshots/vitrine/observability.json").read_text())
    resources = stack.get("Resources", stack).values()
    alarms = {each["Properties"]["AlarmName"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"}
    named = set(re.findall(r"`NAME-([A-Z]\w+)`", text))
    assert len(named) > 5
    assert {f"vitrine-{name}" for name in named} <= alarms
    told = "".join(path.read_text() for path in (ROOT / "processor").rglob("*.py"))
    metrics = set(re.findall(r"`((?:queue|job)\.\w+)`", text))
    assert len(metrics) > 3
    assert {name for name in metrics if f'"{name}"' not in told} == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`flask --app wsgi redrive`", []),
        ("`vitrine queue dead`", ["queue dead: there is no queue"]),
        ("`flask --app wsgi domains\ncheck --lop`", ["domains check --lop: there is no option --lop"]),
        ("```\n$ vitrine drain --timeot 5  # says nothing\n```", ["drain --timeot 5: there is no option --timeot"]),
        ("```\na=1; vitrine \\\n  billing pay\n```", ["billing pay: there is no pay"]),
        ("    flask --app wsgi billing pay SLUG   it's paid\n", ["billing pay SLUG: there is no pay"]),
        ("`billing settle ID --paid` settles", ["billing settle ID --paid: there is no option --paid"]),
        ("A vitrine holds things, `/etc/vitrine` too: `/vitrine/first-boot it`.", []),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, found: list[str], group: click.Group) -> None:
    assert wrong_commands(text, group) == found


def test_a_setting_and_a_target_that_do_not_exist_are_found() -> None:
    assert wrong_variables("`VITRINE_WORKERS=2` `VITRINE_WORKER=2`") == {"VITRINE_WORKER"}
    assert wrong_targets("`make test`, `make tea`, make sense\n```\n$ cd x && make infra-check\n```") == {
        "tea",
        "infra-check",
    }
