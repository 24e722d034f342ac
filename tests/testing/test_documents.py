"""Documents are served by their paths, as they are now."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from xgate.testing.documents import served_documents


def test_what_is_there_is_served_and_nothing_else() -> None:
    with served_documents() as (base, documents):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/a?b")
        documents["/a?b"] = b"here"
        with urllib.request.urlopen(f"{base}/a?b") as answer:
            assert answer.read() == b"here"
