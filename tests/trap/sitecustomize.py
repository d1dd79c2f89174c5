"""Lets no Python process of the tests reach beyond this machine, and writes down each attempt.

Python imports a module of this name at its start, so whatever a test starts is watched if this folder is on PYTHONPATH.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

LOG = "MOBILEYOLO_TESTS_LOOKUPS"  # names the file for the attempts
_HOST = {
    "socket.getaddrinfo": lambda args: args[0],
    "socket.gethostbyname": lambda args: args[0],
    "socket.connect": lambda args: args[1],
    "socket.sendto": lambda args: args[1],
}


def stays_here(host: object) -> bool:
    """Is it this machine: a loopback address or its name, no address at all, or the path of a Unix socket?"""
    if isinstance(host, tuple):
        return stays_here(host[0])
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in {"", "localhost"} or "/" in name or name.startswith("\0"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event in _HOST and LOG in os.environ and not stays_here(host := _HOST[event](args)):
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as log:
            log.write(f"{event} {host!r} by {' '.join(sys.argv)[:200]!r}\n")
        raise OSError(f"a test must not reach {host!r}")


sys.addaudithook(_watch)
