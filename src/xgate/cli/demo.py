"""``xgate demo``: a whole ecosystem on loopback, with real messages and proven evidence."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import msgspec
import trio

from xgate.cli.output import Unusable, print_json, print_line
from xgate.clock import SystemClock
from xgate.errors import first_cause
from xgate.net.errors import NetError
from xgate.sandbox.demo import DemoError, DemoResult, run_demo
from xgate.testing.softhsm import SoftHsmError, find_softhsm

__all__ = ["demo"]


def demo(
    *,
    keep: bool = False,
    signers: bool = False,
    hsm: bool = False,
    json: bool = False,
    folder: Path | None = None,
) -> int:
    """Run a whole ecosystem on loopback and send real messages through it.

    A certificate authority with OCSP responder and timestamping service, a signed global
    configuration over HTTP, a consumer's and a provider's security server, a REST and a SOAP
    service; then messages through all of it, and every logged message exported and verified.
    Exit code 0 when all of it holds, 1 when something does not, 2 when --hsm has no SoftHSM2.

    Parameters
    ----------
    keep
        Leave everything running and print what to try.
    signers
        Keep the servers' keys in signers' processes (xgate signer).
    hsm
        Keep the servers' keys on hardware tokens, which SoftHSM2 plays; with signers' processes.
    json
        Print one JSON object instead of the tale.
    folder
        Where all files go (must not hold a demo yet); a temporary folder if not given.
    """
    library = _check_softhsm() if hsm else None
    place = Path(tempfile.mkdtemp(prefix="xgate-demo-")) if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    tell = (lambda line: None) if json else print_line
    result: DemoResult | None = None
    cause: BaseException | None = None

    async def main() -> None:
        nonlocal result
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
            result = await run_demo(
                place.resolve(), SystemClock(), tell, keep=keep, signers=signers, hsm=library
            )
            nursery.cancel_scope.cancel()

    try:
        trio.run(main)
    except* (DemoError, NetError, OSError, SoftHsmError) as group:
        cause = first_cause(group)
    if result is None and cause is None:  # stopped by a signal
        return 0
    if json:
        fields = {"ok": False, "error": str(cause), "folder": str(place)}
        print_json(fields if result is None else msgspec.structs.asdict(result))
    elif result is None:
        print_line(f"The demo failed: {cause}")
        print_line(f"The servers' logs are below {place}")
    return 0 if result is not None and result.ok else 1


def _check_softhsm() -> Path:
    library = find_softhsm()
    if library is None:
        raise Unusable("--hsm needs SoftHSM2; install it: apt-get install softhsm2")
    return library


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
