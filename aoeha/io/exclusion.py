"""One daemon for each node of a cluster on one machine, whatever folders it is given.

A lock on a path that the command line chooses excludes nobody who chooses another one. So the name itself is taken: an
abstract socket `@aoeha/CLUSTER/NODE`, of which a network namespace has one (unix(7)). It lies in no file system, needs
no removal, and the kernel frees it with the process. Two machines that share a kernel but no network (containers) are
told apart by the lock on their state directory, and by the ports of their links.
"""

import errno
import fcntl
import os
import socket

__all__ = ["NameTakenError", "lock_directory", "take_name"]


class NameTakenError(OSError):
    """Another process of this network namespace is this node."""


def take_name(cluster: str, node: str) -> socket.socket:
    """Return the socket that holds the name while it is open. Raises NameTakenError when another process has it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0aoeha/{cluster}/{node}")
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            raise NameTakenError(error.errno, f"another process has the name @aoeha/{cluster}/{node}") from None
        raise
    return holder


def lock_directory(path: str) -> int:
    """Return a descriptor that holds the lock on a directory while it is open, or -1 when another process has it.

    The directory itself is locked, and so nothing is written: it works on a disk that is full or read-only. Raises
    OSError where there is no such directory, or none can be locked there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
