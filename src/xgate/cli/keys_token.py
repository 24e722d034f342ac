"""``xgate keys generate|login|logout|pin``: what is done with a token.

The rule: a PIN comes from a file, the environment, the settings or the terminal; there is no option
that takes one. Tokens are logged in to where they are used: in the signer's process when there is
one, else in ``xgate serve``, which does it by its own settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from xgate.cli.keys_place import PinFrom, WhichKeys, ask_pin, open_place
from xgate.cli.output import Unusable, print_json, print_line
from xgate.securityserver.key_holder import signer_socket
from xgate.signer.ask import ask_signer
from xgate.signer.entries import SOFTWARE, KeyEntry
from xgate.signer.pins import check_pin_policy
from xgate.signer.protocol import Login, Logout
from xgate.signer.registry import put_entry
from xgate.signer.store import change_pin

__all__ = ["generate", "login", "logout", "pin"]


def generate(
    *,
    label: str = "",
    kind: Literal["rsa", "ecdsa"] = "rsa",
    token: str = SOFTWARE,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    json: bool = False,
) -> int:
    """Make a key on a token. The first request or certificate decides what it is for.

    :param label: What people call it.
    :param kind: RSA or elliptic curve; how large the settings say (rsa-bits, curve).
    :param token: The token's id; 0 is the software token.
    :param json: Print one JSON object.
    """
    with open_place(which) as place:
        found = place.tokens.check(token)
        place.log_in(found, pin or PinFrom())
        made = found.generate(kind, label)
        entry = KeyEntry(made.id, label, None, token=token, public_key=made.public_key)
        if token != SOFTWARE:
            place.change(lambda store: put_entry(store, entry))
    if json:
        print_json({"id": made.id, "token": token, "label": label, "kind": made.kind})
    else:
        print_line(made.id)
    return 0


def login(
    token: str = SOFTWARE,
    /,
    *,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    force: bool = False,
) -> int:
    """Log in to a token in the signer's process, so that its keys can be used.

    Without --pin-file and --pin-env the PIN is asked for on the terminal. A wrong PIN is tried
    once: exit code 1.

    :param token: The token's id; 0 is the software token.
    :param force: Also when one wrong PIN more would lock the token.
    """
    with open_place(which) as place:
        socket = _socket(signer_socket(place.keys, place.folder))
        given = ask_pin(token, pin or PinFrom())
        ask_signer(socket, Login(1, token, given, force))
    print_line(f"token {token} is logged in")
    return 0


def logout(token: str = SOFTWARE, /, *, which: WhichKeys | None = None) -> int:
    """Log out of a token in the signer's process: its keys cannot be used until the next login.

    :param token: The token's id; 0 is the software token.
    """
    with open_place(which) as place:
        ask_signer(_socket(signer_socket(place.keys, place.folder)), Logout(1, token))
    print_line(f"token {token} is logged out")
    return 0


def pin(
    *,
    which: WhichKeys | None = None,
    pin: PinFrom | None = None,
    new_pin_file: Path | None = None,
    new_pin_env: str | None = None,
) -> int:
    """Give the software token its PIN, or a new one; a new key store begins so.

    A server that runs goes on with what it has open, and needs the new PIN at its next start. The
    settings [keys] pin-policy = true refuse weak PINs.

    :param new_pin_file: A file whose first line is the new PIN.
    :param new_pin_env: The environment variable that holds the new PIN.
    """
    with open_place(which) as place:
        store = place.tokens.store
        known = place.maybe_read()
        begins = known is None or known.software is None
        old = None if begins else ask_pin(SOFTWARE, pin or PinFrom(), "Present PIN")
        new = ask_pin(SOFTWARE, PinFrom(pin_file=new_pin_file, pin_env=new_pin_env), "New PIN")
        if place.keys.pin_policy:
            check_pin_policy(new)
        try:
            change_pin(store, old, new)
        except OSError as error:
            raise Unusable(f"Cannot write {store}: {error.strerror}") from None
    print_line("The software token has its PIN" if begins else "The PIN is changed")
    return 0


def _socket(path: Path | None) -> Path:
    if path is None:
        raise Unusable(
            "There is no signer's process in the settings ([keys] signer; say --config): "
            "xgate serve logs in by itself, by [keys] pin-file, pin-env or pin-command"
        )
    return path
