"""The listening socket: opened once a release is verified, and closed without cutting off who was let in.

Closing a listening socket resets every connection that the system has made and nobody has accepted yet. So before it is
closed, its door is shut: a filter in the kernel drops requests for new connections and lets all else through, and who
was let in before is accepted and answered. Who knocks at the shut door hears nothing for a second, asks again, and is
then refused or let in by whoever listens there next; nothing of a request was sent by then.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from typing import Final

from mlctl.errors import ExternalError

BACKLOG: Final = 2048
_ATTACH_FILTER: Final = 26
"""Linux' SO_ATTACH_FILTER; Python has no name for it."""
_ONLY_WHO_IS_IN: Final = (
    (0x30, 0, 0, 13),  # load the byte of flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN set?
    (0x06, 0, 0, 0),  # yes: drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # no: let it pass
)
"""A program of the classic Berkeley packet filter: code, steps if true, steps if false, number."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket that several workers may share.

    Raises:
        ExternalError: Somebody else listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int("MLCTL_WORKER" in os.environ))
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ExternalError.listening(f"{host}:{port}", error.strerror or str(error)) from error
    listener.setblocking(False)
    return listener


def shut_door(listener: socket.socket) -> bool:
    """Lets nobody new in; False where the system knows no way, and the door stays open until the socket is closed."""
    if sys.platform != "linux":
        return False
    program = b"".join(struct.pack("HBBI", *step) for step in _ONLY_WHO_IS_IN)
    held = ctypes.create_string_buffer(program)
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(_ONLY_WHO_IS_IN), ctypes.addressof(held))
        )
    except OSError:
        return False
    return True
