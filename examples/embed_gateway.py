"""Run a security server inside a program of your own: ``python embed_gateway.py SETTINGS``.

Every line of its log comes to a function of ours; here it counts the exchanges. Ctrl-C drains.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path

import trio

import xgate


async def main(path: Path) -> None:
    """Serve until a signal comes, then tell what was exchanged."""
    outcomes: Counter[str] = Counter()

    def count(line: bytes) -> None:
        event = json.loads(line)
        if event["event"] == "exchange":
            outcomes[event["outcome"]] += 1

    gateway = xgate.Gateway(xgate.load_settings(path), path.parent, write=count)
    async with trio.open_nursery() as nursery:
        ports = await nursery.start(gateway.run)
        print(f"information systems may call port {ports.client_http}")
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        gateway.stop()
    print(f"exchanged: {dict(outcomes)}")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
