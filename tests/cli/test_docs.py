"""Every command is documented, and the generated pages say what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

from surehand.demo import demo_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> object:
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "tools/write_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_help_prints(tool: object) -> None:
    written = (ROOT / "docs/cli.md").read_text()
    assert written == tool.cli_reference(), "docs/cli.md is stale; run `make docs`"  # type: ignore[attr-defined]


def test_every_command_is_in_the_readme(tool: object) -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in tool.command_names() if f"surehand {name}" not in readme]  # type: ignore[attr-defined]
    assert missing == []


def test_every_page_of_the_docs_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [p.name for p in sorted((ROOT / "docs").glob("*.md")) if f"docs/{p.name}" not in readme] == []


@pytest.mark.parametrize("page", ["limits", "conformal", "signals"])
def test_python_of_the_docs_runs_as_it_is_written(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the embedded episodes, under the names that the pages use."""
    for name in ("dataset", "rounds.parquet"):
        (tmp_path / name).symlink_to(demo_folder() / name)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / f"docs/{page}.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, f"docs/{page}.md", "exec"), {})
