"""What NFS shows to clients, and what it remembers of them, lies on the volume that moves with the group.

An export from the gateway's own disk is another folder on the other gateway: the data that clients wrote is gone after
a takeover, and comes back with the next one.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import Configuration, Group, Resource

__all__ = ["exports"]


def exports(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge each NFS server against the file systems that its group has mounted before it."""
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            if resource.type == "nfs":
                for path, sentence in _of_server(group, inner, resource):
                    yield KeyFinding(("group", number, "resource", inner, "parameters", *path), sentence)


def _of_server(group: Group, inner: int, server: Resource) -> Iterator[tuple[KeyPath, str]]:
    if any(":" in resource.type for resource in group.resources[:inner]):
        return  # What an OCF agent mounts, and where, is its own affair.
    volumes = [
        resource.parameters.get("directory") for resource in group.resources[:inner] if resource.type == "filesystem"
    ]
    mounted = [volume for volume in volumes if isinstance(volume, str)]
    for path, folder in _folders(server):
        if not any(PurePosixPath(folder).is_relative_to(volume) for volume in mounted):
            known = ", ".join(mounted) or "none"
            sentence = (
                f"expected a folder of a file system that the group has mounted before (mounted: {known}), got "
                f'"{folder}"; the other gateway has another one of that name'
            )
            yield path, sentence


def _folders(server: Resource) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(state := server.parameters.get("state_directory"), str):
        yield ("state_directory",), state
    shown = server.parameters.get("export")
    for number, export in enumerate(shown if isinstance(shown, list) else ()):
        if isinstance(export, dict) and isinstance(folder := export.get("directory"), str):
            yield ("export", number, "directory"), folder
