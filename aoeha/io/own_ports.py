"""What this machine's interfaces are, in the network namespace of this process. The kernel answers at once."""

import errno
import fcntl
import socket
import struct

__all__ = ["hardware_address", "has_address"]

_SIOCGIFHWADDR = 0x8927  # linux/sockios.h
_ETHERNET = 1  # linux/if_arp.h
_NAME = 16


def hardware_address(interface: str) -> str | None:
    """Return the hardware address like "02:00:00:00:00:0a", or None where there is no such Ethernet interface."""
    question = struct.pack("16s24x", interface.encode()[: _NAME - 1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        try:
            answer = fcntl.ioctl(kernel, _SIOCGIFHWADDR, question)
        except OSError:
            return None
    (kind,) = struct.unpack_from("=H", answer, _NAME)
    return answer[_NAME + 2 : _NAME + 8].hex(":") if kind == _ETHERNET else None


def has_address(address: str) -> bool:
    """Tell whether an IP address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True
