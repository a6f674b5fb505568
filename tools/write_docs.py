"""Write what is generated: docs/cli.md from the commands' help, tables of docs/layouts.md and docs/within-run.md."""

import os
import subprocess
import sys
from pathlib import Path

from typer.models import CommandInfo

from surehand.cli.app import app
from surehand.robots import robots_table

ROOT = Path(__file__).parents[1]
MARKER = "<!-- below: surehand.robots.robots_table() -->"
RESULTS = "<!-- below: tools/within_run_results.py -->"


def command_names() -> list[str]:
    """Every command, in the order `surehand --help` lists them; those of a group as "group command"."""
    names = [_name(command) for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        inner = [_name(command) for command in group.typer_instance.registered_commands]
        names += [f"{group.typer_instance.info.name} {name}" for name in inner]
    return names


def _name(command: CommandInfo) -> str:
    """What the user types; some commands are named otherwise than their function, as `import` must be."""
    assert command.callback is not None
    return command.name or command.callback.__name__


def help_text(*command: str) -> str:
    """What `surehand command --help` prints at 100 columns, without colour."""
    plain = {**os.environ, "TERMINAL_WIDTH": "100", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        plain.pop(name, None)
    call = [sys.executable, "-m", "surehand", *command, "--help"]
    printed = subprocess.run(call, check=True, capture_output=True, text=True, env=plain).stdout
    return "\n".join(line.rstrip() for line in printed.strip().splitlines())


def cli_reference() -> str:
    """docs/cli.md in full."""
    parts = [
        "# Command line",
        "Generated from `surehand COMMAND --help` by `make docs`. LeRobot's spellings are understood: "
        "`--dataset.root=DIR`, `--dataset.repo_id=ID`, `--dataset.episodes=LIST`, `--dataset.eval_split=SHARE`, "
        "`--policy.path=CHECKPOINT`, `--output_dir=DIR`, and underscores for hyphens.",
        f"```\n{help_text()}\n```",
    ]
    for name in command_names():
        parts += [f"## surehand {name}", f"```\n{help_text(*name.split())}\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    from within_run_results import results  # beside this file; it needs the simulator, the other tables do not

    (ROOT / "docs/cli.md").write_text(cli_reference(), encoding="utf-8")
    write_below(ROOT / "docs/layouts.md", MARKER, robots_table())
    write_below(ROOT / "docs/within-run.md", RESULTS, results())


def write_below(page: Path, marker: str, text: str) -> None:
    """The page with `text` in place of all that stands below its marker."""
    above, marker, _ = page.read_text(encoding="utf-8").partition(marker)
    page.write_text(f"{above}{marker}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
