"""Files that commands write: each has its name once it is whole.

The rule: what was there stays until then, and nobody else may read it unless that is said.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from xgate.cli.output import Unusable, path_text
from xgate.owner import find_owner, give_to

__all__ = ["in_place"]


@contextmanager
def in_place(
    path: Path, *, replace: bool, mode: int = 0o600, for_server: bool = False
) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well.

    :param replace: write over one that exists. :param mode: who may read it.
    :param for_server: it becomes its folder's owner's, also when root writes it (``owner``).
    :raises Unusable: it exists and is not to be replaced. :raises OSError: it cannot be written.
    """
    if path.exists() and not replace:
        raise Unusable(f"{path_text(path)} exists; say --replace to write over it")
    owner = find_owner(path) if for_server else None
    handle, name = tempfile.mkstemp(prefix=".xgate-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            give_to(owner, file.fileno())
            yield file
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
