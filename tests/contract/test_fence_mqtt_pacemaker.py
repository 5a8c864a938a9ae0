"""Debian's Pacemaker fences with a smart plug: its fencer, alone, beside a mosquitto in one namespace."""

import asyncio
import os
import shutil
from pathlib import Path

import mosquitto
import pytest
from mosquitto import ADDRESS, PORT, run
from mqtt_plugs import PLUGS, Manner
from namespaces import namespace
from test_fence_pacemaker import FENCER, Fencer

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and mounts"),
    pytest.mark.skipif(
        not FENCER.exists() or any(shutil.which(name) is None for name in ("stonith_admin", "mosquitto")),
        reason="needs Debian's pacemaker, pacemaker-cli-utils and mosquitto",
    ),
]

LIMIT = ("--timeout", "30")


@pytest.mark.parametrize("family", sorted(PLUGS))
def test_pacemaker_switches_a_plug_and_takes_silence_for_a_failure(tmp_path: Path, family: str) -> None:
    plug = PLUGS[family]()
    options = {"ip": ADDRESS, "ipport": str(PORT), "family": family, "deadline": "2s", "second_look": "100ms"}

    async def fence(room: str) -> list[tuple[bool, bool]]:
        fencer = await asyncio.to_thread(Fencer, room, tmp_path)
        try:
            hosts = {"pcmk_host_map": f"beta:{plug.name.replace(' ', chr(92) + ' ')}", "pcmk_off_timeout": "20"}
            await asyncio.to_thread(fencer.register, "plugs", "fence_mqtt_plug", options | hosts)
            seen = []
            for verb, manner in (("--fence", Manner.HONEST), ("--unfence", Manner.HONEST), ("--fence", Manner.MUTE)):
                plug.manner = manner
                code, _said = await asyncio.to_thread(fencer.ask, verb, "beta", *LIMIT)
                seen.append((code == 0, plug.draws))
            return seen
        finally:
            await asyncio.to_thread(fencer.stop)

    with namespace("mqtt") as room, mosquitto.running(room, tmp_path):

        async def act() -> list[tuple[bool, bool]]:
            async with plug.plugged_in():
                return await fence(room)

        off, on, unproved = run(room, act)
        assert (off, on) == ((True, False), (True, True))
        assert unproved[0] is False
