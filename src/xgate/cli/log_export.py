"""Containers out of the message log: into a folder, or into one zip file.

The rule: a file that is there is written over only when told to; each is made under another name
and moved into its place, so what has its name is whole. Any number of them takes the same memory.
What has no time-stamp has no container yet: it is told of and left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from xgate.cli.in_place import in_place
from xgate.cli.output import Unusable, path_text
from xgate.messagelog.evidence import name_of, write_evidence_to
from xgate.messagelog.record import Outline
from xgate.messagelog.store import LogStore
from xgate.trust.zip_writer import ZipWriter

__all__ = ["Exported", "export"]

Put = Callable[[LogStore, Outline], int]
"""Writes the container of a record; how many octets it has."""

_IN_MEMORY = 1 << 20  # octets of a container on its way into a zip; more go to a file


class Exported(msgspec.Struct, frozen=True):
    """What was written.

    :param unstamped: numbers of the records that have no time-stamp, so no container.
    """

    target: str
    containers: int
    octets: int
    unstamped: tuple[int, ...]


def export(
    store: LogStore, outlines: Iterable[Outline], target: Path, *, replace: bool
) -> Exported:
    """Write the containers of these records.

    :param store: has them.
    :param target: a new zip file, if its name ends in ``.zip``; else a folder.
    :param replace: write over what has the name of something to be written.
    :raises Unusable: it cannot be written. :raises Fault: as the store's.
    """
    number, octets = 0, 0
    unstamped: list[int] = []
    try:
        with _zip(target, replace) if target.suffix == ".zip" else _folder(target, replace) as put:
            for outline in outlines:
                if outline.stamp is None:
                    unstamped.append(outline.id)
                    continue
                octets += put(store, outline)
                number += 1
    except OSError as error:
        raise Unusable(f"Cannot write {path_text(target)}: {error.strerror}") from None
    return Exported(path_text(target), number, octets, tuple(unstamped))


@contextmanager
def _folder(folder: Path, replace: bool) -> Iterator[Put]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(store: LogStore, outline: Outline) -> int:
        with in_place(folder / name_of(outline), replace=replace) as file:
            write_evidence_to(store, outline, file)
            return file.tell()

    yield put


@contextmanager
def _zip(path: Path, replace: bool) -> Iterator[Put]:
    with in_place(path, replace=replace) as file, tempfile.TemporaryFile() as directory:
        writer = ZipWriter(file, directory)

        def put(store: LogStore, outline: Outline) -> int:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as made:
                write_evidence_to(store, outline, made)
                return writer.add_all_of(name_of(outline), made, outline.time)

        yield put
        writer.finish()
