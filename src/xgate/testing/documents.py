"""Documents over HTTP for tests of programs that have no event loop: a folder in memory, served.

The rule: what is in the mapping is served at its path, everything else is 404; it may be changed at
any time.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

__all__ = ["served_documents"]


@contextmanager
def served_documents(
    context: ssl.SSLContext | None = None,
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of the server, without a path, and its documents by path.

    :param context: serves over HTTPS.
    """
    documents: dict[str, bytes] = {}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = documents.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}", documents
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
