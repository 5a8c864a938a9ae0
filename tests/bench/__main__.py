"""`make bench`: every figure that the project is proud of or ashamed of. Nothing here passes or fails."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
TAKEOVER_RUNS = "3"


def main() -> int:
    """Run one bench after the other; those that need root are named when left out."""
    benches = [[sys.executable, str(HERE / "startup.py")]]
    needs_root = [
        [sys.executable, str(HERE / "restart.py")],
        [str(BIN / "aoeha"), "rehearse", "power-loss", "--quiet", "--runs", TAKEOVER_RUNS, "--timing", "deadtime=1s",
         "--timing", "warntime=300ms", "--timing", "keepalive=100ms"],
    ]  # fmt: skip
    if os.geteuid() == 0:
        benches += needs_root
    else:
        print("bench: NOT ROOT, so the restart gap and the takeover are not measured", flush=True)
    for bench in benches:
        print(f"bench: {Path(bench[-1]).stem if len(bench) == 2 else 'takeover with deadtime 1 s'}", flush=True)
        subprocess.run(bench, check=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
