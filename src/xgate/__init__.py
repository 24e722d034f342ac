"""xgate: an X-Road 7 compatible security server, as a program and as a library."""

__version__ = "0.1.0"
__all__ = ["__version__"]
