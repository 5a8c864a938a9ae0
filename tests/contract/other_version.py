"""A daemon whose wire format is of another version than the program's: `python other_version.py FILE [ARGUMENT...]`.

FILE says which: `earlier`, `same` or `later`. As with an upgrade of the package, a daemon that is started anew in its
own place is of the version that lies there then. The later version tells one byte more of each beat.
"""

import argparse
import sys
from pathlib import Path

from aoeha.wire import codec

OURS = codec.VERSION
LATER = OURS + 1
VERSIONS = {"earlier": OURS - 1, "same": OURS, "later": LATER}

_encode_body, _decode_body = codec._encode_body, codec._decode_body


def encode_body(message: codec.Message, version: int) -> bytes:
    """Return a body as the later version has it."""
    return _encode_body(message, version) + b"+" * (version >= LATER)


def decode_body(body: bytes, names: dict[bytes, str], version: int) -> codec.Message:
    """Read it; the byte more must be there."""
    if version < LATER:
        return _decode_body(body, names, version)
    if not body.endswith(b"+"):
        raise codec.CodecError("cannot read this beat: it lacks what its version tells")
    return _decode_body(body[:-1], names, version)


def become(name: str) -> None:
    """Change the wire format of this process. Called before anything imports more of it."""
    codec.VERSION = VERSIONS[name]
    codec._encode_body, codec._decode_body = encode_body, decode_body  # type: ignore[assignment]


if __name__ == "__main__":
    become(Path(sys.argv.pop(1)).read_text().strip())
    from aoeha.daemon import main
    from aoeha.daemon.arguments import add_arguments

    parser = argparse.ArgumentParser(prog="aoeha daemon")
    add_arguments(parser)
    sys.exit(main.main(parser.parse_args()))
