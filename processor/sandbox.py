"""Runs a program on a hostile file: bounded, without a network, seeing one original and one scratch folder.

Three ways, strongest first; `auto` takes the first that works on this machine:

- `bwrap` (bubblewrap): namespaces of its own for users, processes, network and files. The program sees `/usr` read
  only, the files in `read` read only and the folder `write`, and nothing else of the machine.
- `unshare` (util-linux): namespaces for users, processes and network. Files are bounded by permissions alone.
- `rlimits`: limits only, for containers that allow no namespaces.

All three bound memory, CPU, file sizes and open files, allow no core dump, no new privileges and no inherited
environment, and end with the process that started them: the kernel kills the child when its parent dies.
"""

import functools
import os
import resource
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

log = structlog.get_logger()

MIB = 1024 * 1024
METHODS = ("bwrap", "unshare", "rlimits")
KEPT_STDERR = 64 * 1024
KEPT_STDOUT = 16 * MIB
PROBE_SECONDS = 10.0

# One malloc arena for two threads keeps x264's many threads from reserving 64 MiB each.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}


class SandboxUnavailable(RuntimeError):
    """The wanted way of sandboxing does not work here; one line that says what to do."""


class Expired(TimeoutError):
    """The program ran, or stayed silent, longer than allowed, and was killed with everything it had started."""


@dataclass(frozen=True)
class Limits:
    """`memory` bounds private writable memory (RLIMIT_DATA), `file` any one written file; both in bytes.

    `cpu` are seconds over all threads; `wall` seconds since the start; `silence` seconds without a line on stdout.
    """

    memory: int = 512 * MIB
    cpu: int = 60
    wall: float = 60.0
    silence: float | None = None
    file: int = 64 * MIB
    files: int = 256


@dataclass(frozen=True)
class Finished:
    """`returncode` is not 0 after a failure. `cpu` are seconds of the whole tree.

    `peak` is resident bytes, but never less than this process had itself: Linux counts those as the child's until it
    has become another program. stdout is empty if lines were handed out as they came; stderr holds the last 64 KiB.
    """

    returncode: int
    stdout: bytes
    stderr: str
    cpu: float
    peak: int


@dataclass(frozen=True)
class Sandbox:
    """One way of sandboxing. Make it with `choose`."""

    method: str

    def run(
        self,
        command: Sequence[str],
        *,
        read: Sequence[Path] = (),
        write: Path | None = None,
        limits: Limits = Limits(),
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run to the end. An exception from `on_line` ends the program too and passes through.

        Paths are absolute, and the same inside; the working folder is `write`. Raises `Expired`.
        """
        started = time.monotonic()
        child = subprocess.Popen(
            [*_bounds(limits), *self._wrapped(command, read, write)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd=write or "/",
            start_new_session=True,  # One signal to the group reaches everything that runs in it.
        )
        assert child.stdout is not None and child.stderr is not None
        with child.stdout, child.stderr:
            try:
                stdout, stderr = _drain(child.stdout, child.stderr, limits, started, on_line)
                returncode, usage = _wait(child, started + limits.wall)
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise
        return Finished(
            returncode=returncode,
            stdout=stdout,
            stderr=stderr.decode(errors="replace"),
            cpu=usage.ru_utime + usage.ru_stime,
            peak=usage.ru_maxrss * 1024,
        )

    def _wrapped(self, command: Sequence[str], read: Sequence[Path], write: Path | None) -> list[str]:
        if self.method == "bwrap":
            return _bubblewrap(command, read, write)
        if self.method == "unshare":
            namespaces = ("--map-root-user", "--net", "--pid", "--ipc", "--fork", "--kill-child=KILL")
            return ["unshare", *namespaces, "--", *command]
        return list(command)


@functools.cache
def choose(method: str) -> Sandbox:
    """The sandbox for a setting: `auto` or one of `METHODS`. Tried once a process.

    Raises `SandboxUnavailable` if a named method does not work.
    """
    for candidate in METHODS if method == "auto" else (method,):
        complaint = _complaint(Sandbox(candidate))
        if complaint is None:
            log.info("sandbox", method=candidate, wanted=method)
            return Sandbox(candidate)
        log.warning("sandbox.unavailable", method=candidate, complaint=complaint)
    raise SandboxUnavailable(
        f"VITRINE_SANDBOX={method} does not work on this machine ({complaint}); "
        "install bubblewrap, allow user namespaces, or set it to auto"
    )


def _complaint(sandbox: Sandbox) -> str | None:
    """Why this method does not work here; None if it does."""
    try:
        result = sandbox.run(["true"], limits=Limits(wall=PROBE_SECONDS))
    except (OSError, Expired) as error:
        return str(error)
    if result.returncode == 0:
        return None
    return result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"exit status {result.returncode}"


def _bounds(limits: Limits) -> list[str]:
    """The programs that set limits on themselves and become what they are given.

    Done by util-linux rather than by `preexec_fn`, which is not safe in a process with threads.
    """
    return [
        "setpriv",
        "--pdeathsig=KILL",
        "--no-new-privs",
        "prlimit",
        f"--data={_at_most(limits.memory, resource.RLIMIT_DATA)}",
        # The soft limit asks (SIGXCPU: ffmpeg stops in order), the hard one kills.
        f"--cpu={_at_most(limits.cpu, resource.RLIMIT_CPU)}:{_at_most(limits.cpu + 1, resource.RLIMIT_CPU)}",
        f"--fsize={_at_most(limits.file, resource.RLIMIT_FSIZE)}",
        f"--nofile={_at_most(limits.files, resource.RLIMIT_NOFILE)}",
        "--core=0",
        "--",
    ]


def _at_most(wanted: int, limit: int) -> int:
    """`wanted`, or less where this process has a lower hard limit itself, which only root may raise."""
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _bubblewrap(command: Sequence[str], read: Sequence[Path], write: Path | None) -> list[str]:
    arguments = ["bwrap", "--unshare-all", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL", "--dev", "/dev"]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        # Merged-/usr systems have links here, older ones folders.
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    # The dynamic linker's cache, and Debian's links to the chosen BLAS, which libavfilter's dependencies load.
    for needed in ("/etc/ld.so.cache", "/etc/alternatives"):
        arguments += ["--ro-bind-try", needed, needed]
    program = shutil.which(command[0], path=ENVIRONMENT["PATH"]) or command[0]
    if program.startswith("/") and not program.startswith(("/usr/", "/bin/")):
        arguments += ["--ro-bind", program, program]
    if write is not None:
        arguments += ["--bind", str(write), str(write), "--chdir", str(write)]
    for path in read:
        arguments += ["--ro-bind", str(path), str(path)]
    # Everything not bound is bubblewrap's own empty file system: it must not become a place to fill.
    return [*arguments, "--remount-ro", "/", "--", *command]


def _drain(
    stdout: IO[bytes], stderr: IO[bytes], limits: Limits, started: float, on_line: Callable[[str], None] | None
) -> tuple[bytes, bytes]:
    """Read both pipes to their end, keeping a bounded part. Raises `Expired`."""
    said, complained = bytearray(), bytearray()
    heard = started
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while selector.get_map():
            now = time.monotonic()
            deadline = min(started + limits.wall, heard + (limits.silence or limits.wall))
            if now >= deadline:
                raise Expired(f"stopped after {now - started:.0f} s, {now - heard:.0f} s after its last word")
            for key, _ in selector.select(deadline - now):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is stderr:
                    complained = (complained + chunk)[-KEPT_STDERR:]
                else:
                    heard = time.monotonic()
                    said += chunk
                    if on_line is not None:
                        said = _hand_out(said, on_line)
                    if len(said) > KEPT_STDOUT:
                        raise Expired(f"stopped after printing {KEPT_STDOUT // MIB} MiB")
    return bytes(said), bytes(complained)


def _hand_out(said: bytearray, on_line: Callable[[str], None]) -> bytearray:
    """Pass on whole lines; the unfinished rest."""
    *lines, rest = said.split(b"\n")
    for line in lines:
        on_line(line.decode(errors="replace"))
    return rest


def _wait(child: subprocess.Popen[bytes], deadline: float) -> tuple[int, resource.struct_rusage]:
    """Return code and usage, which includes what the child waited for. Raises `Expired`."""
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again.
            return child.returncode, usage
        if time.monotonic() >= deadline:
            raise Expired("stopped: it closed its output but ran on")
        time.sleep(0.002)
