"""Call a REST service through a security server: ``python call_service.py URL CLIENT``.

URL is the security server's, for example
``http://127.0.0.2:8080/r1/XG/GOV/200/registry/people/people/1``; CLIENT is the caller's identifier,
for example ``XG/COM/100/portal``. Any HTTP client will do: this is the whole protocol on this side.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

import xgate


def main(url: str, client: str) -> None:
    """Print the answer and the proof that travels with it, or the fault."""
    caller = xgate.ClientId(*client.split("/"))
    request = urllib.request.Request(url, headers={"X-Road-Client": caller.url})
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.read().decode(errors="replace"))
            print("message id:  ", answer.headers["x-road-id"])
            print("request hash:", answer.headers["x-road-request-hash"])
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.headers.get('X-Road-Error')}: {error.read().decode()}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
