"""What a program on a hostile file can and cannot do, in each way of sandboxing that works on this machine."""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from processor.sandbox import METHODS, MIB, Expired, Limits, Sandbox, SandboxUnavailable, choose

SHORT = Limits(wall=20, cpu=10)
PYTHON = "/usr/bin/python3"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not in /dev/shm, where `in_memory` may have others: a sandbox has a /dev of its own, which may be written."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(params=METHODS)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return working(request.param)


def working(method: str) -> Sandbox:
    try:
        return choose(method)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def shell(sandbox: Sandbox, script: str, folder: Path, limits: Limits = SHORT, read: tuple[Path, ...] = ()) -> str:
    finished = sandbox.run(["sh", "-c", script], read=read, write=folder, limits=limits)
    return finished.stdout.decode() + finished.stderr


def test_auto_takes_the_strongest_that_works() -> None:
    usable = []
    for method in METHODS:
        try:
            usable.append(choose(method).method)
        except SandboxUnavailable:
            continue
    assert choose("auto").method == usable[0]


def test_a_named_method_that_does_not_work_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'no user namespaces here' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setattr("processor.sandbox.ENVIRONMENT", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    choose.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable) as refused:
            choose("bwrap")
        assert "VITRINE_SANDBOX=bwrap" in str(refused.value)
        assert "no user namespaces here" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert choose("auto").method != "bwrap"
    finally:
        choose.cache_clear()


def test_reads_its_original_and_writes_its_scratch_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    scratch, original = tmp_path / "scratch", tmp_path / "original"
    scratch.mkdir()
    original.write_text("pixels")
    finished = sandbox.run(["sh", "-c", f"cat {original} > copy"], read=[original], write=scratch, limits=SHORT)
    assert finished.returncode == 0
    assert (scratch / "copy").read_text() == "pixels"


@pytest.mark.parametrize("method", ["bwrap", "unshare"])
def test_reaches_no_network(method: str, tmp_path: Path) -> None:
    script = (
        "import socket, sys\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=3)\n"
        "except OSError as error: print('refused', error)\n"
        "else: print('connected')\n"
    )
    command = [PYTHON, "-c", script]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert "connected" in subprocess.run([*command, port], capture_output=True, text=True, check=True).stdout
        inside = working(method).run([*command, port], write=tmp_path, limits=SHORT)
    assert inside.stdout.startswith(b"refused")


def test_bubblewrap_hides_everything_but_the_original_and_the_scratch_folder(tmp_path: Path) -> None:
    scratch, original, neighbour = tmp_path / "scratch", tmp_path / "original", tmp_path / "neighbour"
    scratch.mkdir()
    for file in (original, neighbour):
        file.write_text("content of " + file.name)
    told = shell(
        working("bwrap"),
        f"cat {original}; cat {neighbour}; cat /etc/shadow; cat /etc/passwd; ls {tmp_path}; ls /proc /home /root /sys",
        scratch,
        read=(original,),
    )
    assert "content of original" in told
    assert "content of neighbour" not in told
    assert "root:" not in told
    assert told.count("No such file or directory") >= 6


def test_bubblewrap_leaves_nowhere_else_to_write(tmp_path: Path) -> None:
    scratch, original = tmp_path / "scratch", tmp_path / "original"
    scratch.mkdir()
    original.write_text("kept")
    places = f"/ /tmp /usr /etc {tmp_path}"
    script = f"for place in {places}; do echo x > $place/x && echo wrote; done; echo x > {original} && echo over"
    told = shell(working("bwrap"), script, scratch, read=(original,))
    assert "wrote" not in told
    assert "over" not in told
    assert original.read_text() == "kept"


@pytest.mark.parametrize("method", ["bwrap", "unshare"])
def test_sees_no_other_process(method: str, tmp_path: Path) -> None:
    told = shell(working(method), f"kill -0 {os.getpid()} && echo reachable", tmp_path)
    assert "reachable" not in told


def test_inherits_no_environment(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_SECRET_KEY", "do not tell anyone, this is thirty-two or more")
    assert "do not tell" not in shell(sandbox, "env", tmp_path)


def test_a_memory_bomb_dies_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    script = "blocks = []\nwhile True: blocks.append(bytearray(8 << 20))"
    finished = sandbox.run([PYTHON, "-c", script], write=tmp_path, limits=Limits(memory=128 * MIB, wall=20))
    assert finished.returncode != 0
    assert "MemoryError" in finished.stderr
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert finished.peak < max(own, 160 * MIB) + 16 * MIB


def test_endless_computing_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    finished = sandbox.run([PYTHON, "-c", "while True: pass"], write=tmp_path, limits=Limits(cpu=1, wall=30))
    assert finished.returncode != 0
    assert 0.5 < finished.cpu < 8


def test_a_file_cannot_grow_without_bound(sandbox: Sandbox, tmp_path: Path) -> None:
    shell(sandbox, "head -c 4000000 /dev/zero > big; true", tmp_path, Limits(file=1 * MIB, wall=20))
    assert (tmp_path / "big").stat().st_size == 1 * MIB


def test_a_timeout_kills_the_whole_tree(sandbox: Sandbox, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(Expired):
        shell(sandbox, "sleep 4321 & sleep 4321 & wait", tmp_path, Limits(wall=1))
    assert time.monotonic() - started < 5
    assert_gone("4321")


def test_silence_is_a_timeout_but_speaking_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    limits = Limits(silence=1, wall=20)
    told = shell(sandbox, "for n in 1 2 3 4; do echo $n; sleep 0.4; done", tmp_path, limits)
    assert told.split() == ["1", "2", "3", "4"]
    with pytest.raises(Expired):
        shell(sandbox, "echo one; sleep 30", tmp_path, limits)


def test_closing_the_output_does_not_escape_the_timeout(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Expired):
        shell(sandbox, "exec >&- 2>&-; sleep 4322", tmp_path, Limits(wall=1))
    assert_gone("4322")


def test_an_exception_from_a_line_kills_the_program(sandbox: Sandbox, tmp_path: Path) -> None:
    def lose_the_lease(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError, match="first"):
        sandbox.run(["sh", "-c", "echo first; sleep 4323"], write=tmp_path, limits=SHORT, on_line=lose_the_lease)
    assert_gone("4323")


def test_output_is_bounded(sandbox: Sandbox, tmp_path: Path) -> None:
    finished = sandbox.run(
        ["sh", "-c", "yes complaint | head -c 3000000 >&2; echo last >&2"], write=tmp_path, limits=SHORT
    )
    assert len(finished.stderr) <= 64 * 1024
    assert finished.stderr.endswith("last\n")


def test_lines_arrive_whole_while_the_program_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    heard: list[tuple[float, str]] = []
    sandbox.run(
        ["sh", "-c", "printf 'a'; sleep 0.3; printf 'b\\nc\\n'; sleep 0.5; echo d"],
        write=tmp_path,
        limits=SHORT,
        on_line=lambda line: heard.append((time.monotonic(), line)),
    )
    assert [line for _, line in heard] == ["ab", "c", "d"]
    assert heard[2][0] - heard[1][0] > 0.3


@pytest.mark.faults
def test_dies_with_its_parent(sandbox: Sandbox, tmp_path: Path) -> None:
    """`kill -9` of a worker leaves no program behind."""
    script = (
        "from pathlib import Path\n"
        "from processor.sandbox import Limits, Sandbox\n"
        f"Sandbox({sandbox.method!r}).run(['sh', '-c', 'sleep 4324 & sleep 4324'], write=Path({str(tmp_path)!r}),"
        " limits=Limits(wall=300))\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root)
    try:
        deadline = time.monotonic() + 20
        while len(running("4324")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    if sandbox.method == "rlimits":
        # Without a process namespace the kernel kills the program itself; what it had started ends by its limits.
        deadline = time.monotonic() + 5
        while any(process.name() == "sh" for process in running("4324")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for process in running("4324"):
            process.kill()
    assert_gone("4324")


def running(word: str) -> list[psutil.Process]:
    """`sleep` processes (and shells) that were started with this argument."""
    found = []
    for process in psutil.process_iter(["cmdline", "name", "status"]):
        command = process.info["cmdline"] or []
        if process.info["name"] in ("sleep", "sh") and word in " ".join(command) and process.info["status"] != "zombie":
            found.append(process)
    return found


def assert_gone(word: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while left := running(word):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
