"""``xgate doctor``: what a security server hangs on, link by link."""

from xgate.cli.doctor.command import doctor

__all__ = ["doctor"]
