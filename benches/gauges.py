"""What is read off the machine: times, memory and speed, and whose numbers they are.

The rule: only the kernel's own books of a process (``/proc``) and work of a known kind; nothing is
estimated. Linux only.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

__all__ = [
    "Gauge",
    "Peak",
    "busy_seconds",
    "commit_now",
    "fsync_p50_ms",
    "handles",
    "machine",
    "resident_mb",
    "rsa2048_sign",
]

_TICK = os.sysconf("SC_CLK_TCK")


class Gauge:
    """What one process takes while it is measured."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.rss = self.pss = 0.0
        """The most memory seen, in MB: resident, and with shared pages in equal shares."""
        self._began = self._ended = self._apart_began = self._apart_ended = 0.0

    def begin(self) -> None:
        """The window opens."""
        self._began, self._apart_began = _cpu_seconds(self.pid)

    def look(self) -> None:
        """Note its memory, if it is more than before."""
        rss, pss = _memory_mb(self.pid)
        self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)

    def end(self) -> None:
        """The window closes."""
        self.look()
        self._ended, self._apart_ended = _cpu_seconds(self.pid)

    @property
    def cpu(self) -> float:
        """Seconds of CPU in the window, of all its threads."""
        return self._ended - self._began

    @property
    def cpu_apart(self) -> float:
        """The same of its children that ended in the window, from their start."""
        return self._apart_ended - self._apart_began


class Peak:
    """How far the resident memory of a process has grown, at most, since this was made."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        self._began = self._read("VmRSS")

    def grown_mb(self) -> float:
        """In MB."""
        return (self._read("VmHWM") - self._began) / 1024

    def _read(self, name: str) -> int:
        lines = self._status.read_text().splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
        return int(value)


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """What a process has used so far, all its threads; and what its children had that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) / _TICK, (children_user + children_system) / _TICK


def _memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory, and the proportional set size; a process that has ended has none."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return sizes.get("Rss:", 0) / 1024, sizes.get("Pss:", 0) / 1024


def resident_mb(pid: int) -> float:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def handles(pid: int) -> int:
    """How many files and connections a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def busy_seconds() -> float:
    """What all processes together have used so far, and what the hypervisor gave to others."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields)
    return (user + nice + system + interrupts + soft + stolen) / _TICK


def rsa2048_sign(seconds: float = 0.5) -> tuple[float, float]:
    """RSA-2048 signatures of one thread, now: how many per second, and microseconds of CPU each.

    The second does not depend on what else the machine does at this moment; the first does.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    digest, how = bytes(64), Prehashed(hashes.SHA512())
    count, began, used = 0, time.perf_counter(), time.thread_time()
    while (took := time.perf_counter() - began) < seconds:
        key.sign(digest, padding.PKCS1v15(), how)
        count += 1
    return count / took, (time.thread_time() - used) / count * 1e6


def fsync_p50_ms(folder: Path, times: int = 100) -> float:
    """The median time to append 4 KiB and have them on the disk."""
    took, octets = [], bytes(4096)
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(octets)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(took) * 1000


def machine() -> dict[str, object]:
    """The processor, how many of its cores are ours, and the Python that runs."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def commit_now() -> dict[str, object]:
    """The commit that is checked out, and whether files differ from it; None without git."""
    folder = Path(__file__).parent
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": dirty}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", os.fspath(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
