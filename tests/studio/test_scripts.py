"""The page's scripts as TypeScript reads them: no missing names, no wrong arguments."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = Path("src/hodor/studio/page")
CHECK = Path("tools/page")
TYPESCRIPT = ROOT / CHECK / "node_modules/typescript/bin/tsc"
NODE = shutil.which("node")

FAULTS = {
    'import { fitt } from "./view.js"; fitt();': "no exported member named 'fitt'",
    'import * as api from "./api.js"; api.trackk("both", 3);': "Property 'trackk' does not exist",
    'import { track } from "./api.js"; track("both");': "Expected 2 arguments, but got 1",
    'import { undo } from "./api.js"; undo(3);': "Expected 0 arguments, but got 1",
    'import { goTo } from "./store.js"; goTo("3");': "'string' is not assignable",
    'import { state } from "./store.js"; state.fram;': "Property 'fram' does not exist",
    'import { update } from "./store.js"; update({ fram: 3 });': "'fram' does not exist in type",
    'import { on } from "./store.js"; on(["fram"], () => {});': '"fram"\' is not assignable',
    'import { view } from "./view.js"; view.zoomed = 1;': "Property 'zoomed' does not exist",
    'import { shown } from "./stage.js"; shown.label;': "Property 'label' does not exist",
    'import { tell } from "./notices.js";': "'tell' is declared but its value is never read",
}

checked = pytest.mark.skipif(
    NODE is None or not TYPESCRIPT.is_file(), reason=f"needs node, and npm ci --prefix {CHECK}"
)


def _findings(root: Path) -> list[str]:
    command = [str(NODE), str(TYPESCRIPT), "--pretty", "false", "-p", str(root / CHECK)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not ran.stderr
    return [line for line in ran.stdout.splitlines() if not line.startswith(" ")]


@pytest.mark.slow
@checked
def test_types_agree_in_all_scripts_of_the_page() -> None:
    assert _findings(ROOT) == []


@pytest.mark.slow
@checked
def test_each_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(ROOT / PAGE, tmp_path / PAGE)
    (tmp_path / CHECK).mkdir(parents=True)
    for name in ("tsconfig.json", "types.d.ts"):
        shutil.copy(ROOT / CHECK / name, tmp_path / CHECK)
    for number, line in enumerate(FAULTS):
        (tmp_path / PAGE / f"planted-{number:02}.js").write_text(line + "\n")
    findings = _findings(tmp_path)
    assert len(findings) == len(FAULTS), findings
    for finding, said in zip(sorted(findings), FAULTS.values(), strict=True):
        assert said in finding


def test_every_element_that_a_script_asks_for_is_in_the_page() -> None:
    there = set(re.findall(r'\bid="([\w-]+)"', (ROOT / PAGE / "index.html").read_text()))
    scripts = [path.read_text() for path in (ROOT / PAGE).glob("*.js")]
    wanted = {name for text in scripts for name in re.findall(r'byId\("([\w-]+)"\)', text)}
    assert len(wanted) > 40
    assert wanted <= there
