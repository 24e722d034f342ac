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
    "commit_now",
    "cpu_seconds",
    "fsync_p50_ms",
    "machine",
    "memory_mb",
    "rsa2048_signs_per_s",
]

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all its threads, in user and in kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory, and the proportional set size (shared pages in equal shares)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return sizes["Rss:"] / 1024, sizes["Pss:"] / 1024


def rsa2048_signs_per_s(seconds: float = 0.5) -> float:
    """RSA-2048 signatures of one thread, now: what this machine gives at this moment."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    digest, how = bytes(64), Prehashed(hashes.SHA512())
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        key.sign(digest, padding.PKCS1v15(), how)
        count += 1
    return count / took


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
