"""Write requirements/*.txt: the exact versions pip resolves today, as constraint files.

`lock.py TARGET...` writes those targets, for the Python that runs it.
torch is listed without a hash and by plain version, so that a machine takes the build its own index offers.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGETS = {
    "base": ["."],
    "test": [
        ".[sim,ray,video,remote,gr00t,onnx,postgres]",
        "-r",
        "requirements/test.in",
        "-r",
        "requirements/lerobot.in",
    ],
    "openpi": ["-r", "requirements/openpi.in"],
    "lerobot312": [".", "-r", "requirements/lerobot312.in"],
}


def resolve(arguments: list[str]) -> list[str]:
    """Lines name==version of everything pip would install for these arguments."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        dry = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*dry, "--report", report.name, *arguments], check=True, cwd=ROOT)
        found = json.loads(Path(report.name).read_text())["install"]
    names = {item["metadata"]["name"].lower(): item["metadata"]["version"].split("+")[0] for item in found}
    return [f"{name}=={version}" for name, version in sorted(names.items()) if name != "surehand"]


for target in sys.argv[1:]:
    arguments = TARGETS[target]
    lines = [f"# Written by tools/lock.py from {' '.join(arguments)}; do not edit.", *resolve(arguments)]
    (ROOT / f"requirements/{target}.txt").write_text("\n".join(lines) + "\n")
