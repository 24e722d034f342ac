"""Verify an ASiC-E container from Python: ``python verify_evidence.py FILE GLOBALCONF_DIR``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import xgate


def main(container: Path, globalconf: Path) -> None:
    """Print who signed what and when, or why it is no proof."""
    trust = xgate.read_disk(globalconf, datetime.now(UTC)).conf
    try:
        proof = xgate.verify_container(trust, container.read_bytes())
    except xgate.Fault as fault:
        sys.exit(f"{container}: no proof: {fault}")
    print(f"signed by {proof.proven.signer} at {proof.timestamp.gen_time:%Y-%m-%d %H:%M:%S} UTC")
    for part in proof.parts:
        print(f"  {part.name}: {'verified' if part.verified else 'NOT VERIFIED'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
