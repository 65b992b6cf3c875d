"""Run the commands that the documentation shows.

`documented.py setup README.md` prints the lines that create the environment. `documented.py run
FILE...` runs all others, those of each file in an empty folder, with this interpreter's commands.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETUP = "python3 -m venv"


def commands(path: Path) -> list[str]:
    """Return the lines of the shell blocks of a Markdown file."""
    blocks = FENCE.findall(path.read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def run(path: Path) -> None:
    """Run the commands of one file in an empty folder; stop at the first that fails."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        for line in commands(path):
            if line.startswith(SETUP):
                continue
            print(f"{path.name}: {line}", flush=True)
            subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line],
                cwd=folder,
                env=os.environ | {"PATH": here},
                stdout=subprocess.DEVNULL,
                check=True,
            )


def main() -> None:
    """Do what the first argument says."""
    task, *files = sys.argv[1:]
    paths = [Path(name).resolve() for name in files]
    if task == "setup":
        print("\n".join(c for path in paths for c in commands(path) if c.startswith(SETUP)))
    else:
        for path in paths:
            run(path)


if __name__ == "__main__":
    main()
