"""Files are whole or not there, links in wait are not followed, names stay in their folder."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from hodor.errors import HodorError, explained, one_line
from hodor.files import (
    Replacement,
    open_to_append,
    read_text,
    replacing,
    safe_name,
    safe_path,
    stays_inside,
    sweep,
    whole_folder,
    whole_lines,
    write_json,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")

HOLD = """
import sys
from pathlib import Path
from hodor.files import Replacement
fresh = Replacement(Path(sys.argv[1]))
fresh.path.write_text("half")
print("ready", flush=True)
sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_at_the_end_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replacing(target, flush=True) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with suppress(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@posix
def test_files_have_the_rights_that_the_user_gives_to_files(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_json(tmp_path / "ours", {})
    write_json(tmp_path / "private", {}, mode=0o600)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@posix
def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    link = tmp_path / "a.json"
    link.symlink_to(outside)
    write_json(link, {})
    assert outside.read_text() == "mine"
    assert not link.is_symlink()


@posix
def test_a_link_is_not_appended_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "log").symlink_to(outside)
    with pytest.raises(HodorError, match="it is a link"), explained(tmp_path / "log"):
        open_to_append(tmp_path / "log")
    assert outside.read_text() == "mine"


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a.txt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sweep(tmp_path)
        assert len(names(tmp_path)) == 1
        process.kill()
        process.wait()
        sweep(tmp_path, "b.txt")
        assert len(names(tmp_path)) == 1
        sweep(tmp_path, "a.txt")
        assert names(tmp_path) == []


@posix
def test_folders_are_swept_too_and_links_among_leftovers_lose_only_themselves(
    tmp_path: Path,
) -> None:
    left = tmp_path / f".out.{'0' * 12}.tmp"
    left.mkdir()
    (left / "x").touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (tmp_path / f".log.{'0' * 12}.tmp").symlink_to(outside)
    with whole_folder(tmp_path / "other"):
        sweep(tmp_path)
    assert names(tmp_path) == ["other", "outside"]
    assert names(outside) == ["kept"]


def test_a_folder_with_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(HodorError, match="is there already"), whole_folder(tmp_path / "out"):
        pass
    assert names(tmp_path / "out") == ["mine"]


def test_what_was_dropped_is_gone(tmp_path: Path) -> None:
    fresh = Replacement(tmp_path / "a")
    fresh.drop()
    fresh.drop()
    assert names(tmp_path) == []


def test_a_line_that_a_kill_cut_off_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\nthr")
    assert list(whole_lines(tmp_path / "log")) == [b"one\n", b"two\n"]


def test_text_that_is_not_utf8_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "val.txt"
    path.write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(HodorError, match=r"val\.txt is not text in UTF-8 \(byte 0xe9 at 3\)"):
        read_text(path)
    with pytest.raises(HodorError, match="cannot be read"):
        read_text(tmp_path / "missing")


@pytest.mark.parametrize("name", ["00012", "dog 1", "a.b", "12:30", "猫", "caf\udce9"])
def test_names_that_stay_in_their_folder_are_taken_as_they_are(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../a",
        "a/b",
        "a\\b",
        "/a",
        "C:a",
        "a\0",
        "a\n",
        "x\ud800y",
        "nul",
        ".run",
    ],
)
def test_names_that_could_leave_their_folder_are_refused(name: str) -> None:
    with pytest.raises(HodorError, match="it cannot become the name of a file"):
        safe_name(name, "frame")


def test_folders_in_a_name_are_kept_and_nothing_leads_out(tmp_path: Path) -> None:
    assert safe_path(tmp_path, "a/1") == tmp_path / "a" / "1"
    for name in ("/etc/passwd", "a/../../b", "a//b", "a/"):
        with pytest.raises(HodorError):
            safe_path(tmp_path, name)


@posix
def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "session"
    root.mkdir()
    (root / "given").symlink_to(tmp_path)
    (root / "own").symlink_to(root / "real")
    (root / "real").mkdir()
    assert stays_inside(root, root / "own") == root / "own"
    with pytest.raises(HodorError, match="leaves"):
        stays_inside(root, root / "given")


def test_an_error_is_one_line_even_where_another_library_writes_ten() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line("x" * 1000)) == 300


@posix
def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_text)
        write_json(pipe, {"a": 1})
        assert json.loads(read.result()) == {"a": 1}
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]
