"""The check of tokens and keys: opened here, or asked of the signer's process.

The rule: what the server would open is opened here, closed again, and each signing key makes one
signature, which is proven; but no PIN is tried on a token that has been refused one before: that
could lock it. Nothing is said of keys but what their certificates say.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import trio

from xgate.algorithms import SHA512, SIGNATURES, signature_uri, verify_signature
from xgate.cli.doctor.case import CALL_SECONDS, Case, serial_text
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.output import path_text
from xgate.errors import Fault
from xgate.securityserver.key_holder import signer_socket
from xgate.securityserver.keys import prepare_tokens
from xgate.securityserver.settings import SettingsError
from xgate.signer.ask import ask_signer
from xgate.signer.entries import SOFTWARE, KeyEntry
from xgate.signer.keyring import Keyring, SignKey
from xgate.signer.protocol import ListTokens, TokenStates
from xgate.signer.remote import RemoteKeys
from xgate.signer.token import ManagedToken, SignJob, TokenState
from xgate.signer.tokens import Tokens

__all__ = ["check_keys", "judge_token"]

_FIXES = {
    "pin_incorrect": "Put the right PIN where [keys] says.",
    "token_not_initialized": "Run: xgate keys import, or name the right file in [keys] store.",
}
_LOOK = "See the cause; xgate keys list shows what there is."


async def check_keys(case: Case) -> Findings:
    """The keys can be used, and there is one of each kind."""
    try:
        path = signer_socket(case.settings.keys, case.folder)
        if path is not None:
            return await _ask_signer(case, path)
        return await trio.to_thread.run_sync(_open_here, case, abandon_on_cancel=True)
    except SettingsError as error:
        return [broken(str(error), fix="Correct [keys], or put the PIN where it says.")]
    except Fault as fault:
        return [broken(fault.text, fix=_FIXES.get(fault.code, _LOOK))]


async def _ask_signer(case: Case, path: Path) -> Findings:
    """What the signer's process says of its tokens and keys."""
    ask = partial(ask_signer, path, ListTokens(1), seconds=CALL_SECONDS)
    try:
        listed = await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except Fault as fault:
        fix = f"Run: xgate signer --config {path_text(case.config)}; if it runs, look whether "
        return [broken(fault.text, fix=fix + "[signer] allow-users lets this user in.")]
    tokens = listed.tokens if isinstance(listed, TokenStates) else ()
    case.ring = await _watch_ring(path)
    used = {key.token.id for key in case.ring.signing}
    states = [judge_token(token.id, token.state, needed=token.id in used) for token in tokens]
    which = f"--config {path_text(case.config)}"
    closed = [
        warning(
            "nobody has logged in to it",
            about=_name(token.id, token.state),
            fix=f"Run: xgate keys login {token.id} {which}",
        )
        for token in tokens
        if token.state.available
        and token.state.status != "not-initialized"
        and not token.state.active
    ]
    found = [*(finding for finding in states if finding is not None), *closed]
    ring, where = case.ring, f"in the signer at {path_text(path)}"
    signed = await trio.to_thread.run_sync(_try_all, ring, abandon_on_cancel=True)
    return [*_summed(ring, where), *signed, *found]


async def _watch_ring(path: Path) -> Keyring:
    """The ring that the signer tells; an empty one if it does not in time."""
    remote = RemoteKeys(path, lambda *_, **__: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(remote.run)
        with trio.move_on_after(CALL_SECONDS):
            await remote.ring.wait_changed(0)
        nursery.cancel_scope.cancel()
    return remote.ring.value


def _open_here(case: Case) -> Findings:
    """Open what the settings name, use it once, and close it."""
    refused: list[tuple[str, Fault]] = []
    settings = case.settings.keys
    tokens = prepare_tokens(settings, case.folder, lambda *one: refused.append(one))
    try:
        entries = tokens.read().keys
        if not _log_in_to_software(tokens, entries):
            what = "no PIN of the software token is set"
            return [broken(what, fix="Set pin-file, pin-env or pin-command in [keys].")]
        tokens.look()
        found = [_open_token(tokens, token, _needed(entries)) for token in tokens.all()[1:]]
        missing = _needed(entries) - {token.id for token in tokens.all()}
        case.ring = tokens.keyring()
        signed = _try_all(case.ring)
    finally:
        tokens.close()
    return [
        *_summed(case.ring, f"in {path_text(tokens.store)}", entries),
        *signed,
        *(finding for finding in found if finding is not None),
        *(_absent(token_id) for token_id in sorted(missing)),
        *(warning(fault.text, about=whose, fix=_LOOK) for whose, fault in refused),
    ]


def _log_in_to_software(tokens: Tokens, entries: Sequence[KeyEntry]) -> bool:
    """Whether the keys that lie in the store itself, if there are any, are open now.

    :raises Fault: the PIN is not there or not right.
    """
    return tokens.login(tokens.software) or SOFTWARE not in _needed(entries)


def _needed(entries: Sequence[KeyEntry]) -> set[str]:
    """The tokens with keys that are in use."""
    return {
        entry.token
        for entry in entries
        if any(stored.active and stored.status == "registered" for stored in entry.certificates)
    }


def _open_token(tokens: Tokens, token: ManagedToken, needed: Collection[str]) -> Finding | None:
    """What is wrong with a hardware token, or another package's."""
    state = token.state()
    found = judge_token(token.id, state, needed=token.id in needed)
    if found is not None or state.status == "not-initialized":
        return found
    tell = broken if token.id in needed else warning
    about = _name(token.id, state)
    fix = f"Set pin-file, pin-env or pin-command in [keys.pins.{token.id}]."
    try:
        if state.active or tokens.login(token):
            return None
        return tell("no PIN of it is set", about=about, fix=fix)
    except Fault as fault:
        return tell(fault.text, about=about, fix=fix)


def judge_token(token_id: str, state: TokenState, *, needed: bool = True) -> Finding | None:
    """What is wrong with a token by its own words; None: nothing.

    :param needed: it holds keys that are in use.
    """
    about = _name(token_id, state)
    tell = broken if needed else warning
    if not state.available:
        return tell("it is not there", about=about, fix="Plug it in, and start its service.")
    if state.status == "not-initialized":  # an empty slot may look like this
        fix = "Initialize it with its own tools, and bring the keys back."
        return broken("it has not been initialized", about=about, fix=fix) if needed else None
    if state.status == "ok" or (state.active and state.status != "pin-locked"):
        return None
    return tell(
        f"its state is {state.status}, so no PIN is tried here: it could be locked by that",
        about=about,
        expected="ok",
        fix="Make sure of the PIN that the settings name; then start what uses it, or run: xgate "
        f"keys login {token_id}. If it is locked, unlock it with its own tools.",
    )


def _absent(token_id: str) -> Finding:
    return broken(
        "it holds keys that are in use, and is not there",
        about=f"token {token_id}",
        fix="Plug it in, start its service, and look at [keys] devices.",
    )


def _name(token_id: str, state: TokenState) -> str:
    return f"token {token_id} ({state.name})"


def _try_all(ring: Keyring) -> list[Finding]:
    """Signing keys that do not sign."""
    return [finding for key in ring.signing if (finding := _try(key)) is not None]


def _try(key: SignKey) -> Finding | None:
    about = f"{serial_text(key.certificate)}, signs for {key.member.short}"
    octets = b"xgate doctor: this signature is about nothing: " + secrets.token_bytes(16)
    uri = signature_uri(key.key.kind, SHA512)
    try:
        (value,) = key.token.sign([SignJob(key.key.id, SIGNATURES[uri], SHA512.of(octets))])
        holds = not isinstance(value, Fault) and verify_signature(
            uri, key.certificate.public_key, value, octets, raw_ecdsa=False
        )
    except Fault as fault:
        value, holds = fault, False
    if holds:
        return None
    why = value.text if isinstance(value, Fault) else "its signature does not hold"
    fix = "Look at its token: xgate keys list, and the token's own tools."
    return broken(f"it does not sign: {why}", about=about, fix=fix)


def _summed(ring: Keyring, where: str, entries: Sequence[KeyEntry] = ()) -> list[Finding]:
    counts = {"signing": len(ring.signing), "authentication": len(ring.authentication)}
    lacking = [
        broken(
            f"there is no usable key for {use} with an active, registered certificate"
            + _seen(use, entries),
            fix="Look with xgate keys list; get a certificate for one, and activate it.",
        )
        for use, number in counts.items()
        if not number
    ]
    said = ", ".join(f"{number} for {use}" for use, number in counts.items())
    return lacking or [ok(f"{said} {where}; all sign")]


def _seen(use: str, entries: Sequence[KeyEntry]) -> str:
    """The certificates that there are instead."""
    states = [
        stored.status if stored.active else f"{stored.status}, not active"
        for entry in entries
        if entry.usage == use.upper()
        for stored in entry.certificates
    ]
    return f" (there are: {'; '.join(states)})" if states else ""
