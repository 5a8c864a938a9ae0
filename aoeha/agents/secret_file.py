"""A parameter's value that lies in a file of its own, which only its owner may read."""

import os
import stat

import msgspec

__all__ = ["SecretFile", "SecretFileError", "read_private", "read_secret"]

_SECRET_MAX_BYTES = 4_096


class SecretFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{ file = "/path" }` in aoeha.toml: the value is that file's first and only line."""

    file: str


class SecretFileError(Exception):
    """A secret can't be read, or others could read it too. The message is a sentence.

    `unseen`: it is not there yet, or not for this user, so nothing can be said against it.
    """

    unseen = False


def read_secret(source: SecretFile) -> str:
    """Return the line. SecretFileError unless it is a plain file of this user or root that no other user may open."""
    content = read_private(source.file)
    try:
        secret = content.decode().removesuffix("\n")
    except UnicodeDecodeError:
        secret = ""
    if not secret or not secret.isprintable() or len(content) > _SECRET_MAX_BYTES:
        raise SecretFileError(f"cannot use {source.file}: expected one line of at most {_SECRET_MAX_BYTES} bytes")
    return secret


def read_private(path: str) -> bytes:
    """Return up to 4 KiB. SecretFileError unless it is a plain file of this user or root that no other may open."""
    try:
        # Without O_NONBLOCK a named pipe in its place would hang here.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as fault:
        error = SecretFileError(f"cannot read {path}: {fault.strerror}")
        error.unseen = isinstance(fault, FileNotFoundError | PermissionError)
        raise error from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SecretFileError(f"cannot read {path}: it is no plain file")
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o077:
            raise SecretFileError(
                f"cannot trust {path}: others may read or write it; chown root: {path} && chmod 600 {path}"
            )
        return os.read(descriptor, _SECRET_MAX_BYTES + 1)
    finally:
        os.close(descriptor)
