"""Build the wheel and try it where nothing else is: import with numpy alone, then `--help` with the base install."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HELP_SECONDS = 0.5


def run(*command: str | Path) -> str:
    """What the command printed; a failure ends the check."""
    return subprocess.run([str(c) for c in command], check=True, cwd=ROOT, capture_output=True, text=True).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
        wheel = next(Path(folder).glob("*.whl"))
        bare = Path(folder) / "venv"
        run(sys.executable, "-m", "venv", bare)
        python, pip = bare / "bin/python", [bare / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "numpy", "--constraint", "requirements/base.txt")
        run(*pip, "--no-deps", wheel)
        print(
            "with numpy alone:",
            run(python, "-c", "import surehand as sh; print(sh.Layout.parse('arm(j1..j6)').size)").strip(),
        )
        run(*pip, "--constraint", "requirements/base.txt", wheel)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run(bare / "bin/surehand", "--help")
            times.append(time.perf_counter() - start)
        median = sorted(times)[2]
        print(f"surehand --help: {median:.2f} s (median of 5)")
        print(
            "demo data packaged:",
            run(python, "-c", "from surehand.demo import demo_folder; print(demo_folder().name)").strip(),
        )
        run(bare / "bin/surehand", "demo", "--out", Path(folder) / "demo")
        print("demo from the wheel:", sorted(path.name for path in (Path(folder) / "demo").iterdir()))
        if median > HELP_SECONDS:
            sys.exit(f"--help took {median:.2f} s, at most {HELP_SECONDS} s wanted")


main()
