"""What was checked on the way to a proof, step by step, with what each step was checked against.

The rule: a step holds, or it is the last one and says why not; what comes after it was not looked
at. The trail only watches: no verdict depends on it. ``Fault``s pass through it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, get_args

import msgspec

from xgate.errors import Fault
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

__all__ = ["STEPS", "Said", "Step", "StepName", "Trail"]

StepName = Literal[
    "container",
    "signer",
    "time-stamp chain",
    "time-stamp",
    "hash chain",
    "certificate",
    "signature value",
    "signed parts",
    "certificate named",
    "certificate path",
    "OCSP",
]
"""The steps of a container's proof, in their order; chains are there for batches only."""

STEPS: tuple[StepName, ...] = get_args(StepName)
"""All of them."""

Said = str | datetime | Certificate | OcspResponse
"""One thing that a step was checked with."""


class Step(msgspec.Struct, frozen=True):
    """One step: what it was checked with, and the fault if it does not hold."""

    name: StepName
    said: tuple[Said, ...] = ()
    fault: Fault | None = None


class Trail:
    """The steps so far."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextmanager
    def step(self, name: StepName) -> Iterator[Callable[[Said], None]]:
        """One step; the block says what it checks with, and raises a Fault if it does not hold."""
        said: list[Said] = []
        try:
            yield said.append
        except Fault as fault:
            self.steps.append(Step(name, tuple(said), fault))
            raise
        self.steps.append(Step(name, tuple(said)))
