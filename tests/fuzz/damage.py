"""Damage to a file or folder: of its structure where that is cheap, else of its bytes."""

import json
import re
import shutil
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

NUMBERS = [
    "0", "-1", "1", "2", "255", "256", "65535", "65536", "1e9", "-1e9", "1e30", "1e400", "nan",
    "inf", "-inf", "NaN", "Infinity", "2147483648", "4294967296", "9223372036854775807",
    "99999999999999999999", "0.5", "-0.0", "1.0", "3.7", "60000", "1000000", "", "x", "0x10", "١",
]  # fmt: skip

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 70000, 10**9, 10**18, 10**30, 1.5, 1e308, float("nan"),
    float("inf"), "", "x", "../x", "/x", "a\x00b", "\ud800", "7", [], [[]], [[[]]], {},
    {"size": []}, [0], [1, 2], ["a"], {"a": 1}, [None], "x" * 5000, [0] * 3000,
]  # fmt: skip

NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
TEXT = {".json", ".jsonl", ".xml", ".txt", ".csv", ".yaml", ".yml"}


def damaged(seed: Path, target: Path, random: Random) -> None:
    """Copy a seed's folder to `target`, and damage one to three things in it."""
    shutil.copytree(seed, target)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        files = sorted(path for path in target.rglob("*") if path.is_file())
        if not files:
            return
        _damage(random.choice(files), target, random)


def _damage(file: Path, root: Path, random: Random) -> None:
    data = file.read_bytes()
    way = random.random()
    if way < 0.06:
        _move(file, root, random)
    elif file.suffix == ".json" and way < 0.7 and (changed := _of_json(data, random)) is not None:
        file.write_bytes(changed)
    elif file.suffix == ".safetensors" and way < 0.7:
        file.write_bytes(_of_safetensors(data, random))
    elif file.suffix in TEXT and way < 0.85:
        file.write_bytes(_of_text(data, random))
    else:
        file.write_bytes(_of_bytes(data, random))


def _move(file: Path, root: Path, random: Random) -> None:
    """Remove, empty, rename or double a file, or put something else in its place."""
    way = random.randrange(6)
    name = random.choice(["0", "001", "70000", "x", "a.b.c", "١", "frame_000003", " "])
    if way == 0:
        file.unlink()
    elif way == 1:
        file.write_bytes(b"")
    elif way == 2:
        file.rename(file.with_name(f"{name}{file.suffix}"))
    elif way == 3:
        shutil.copy(file, file.with_name(f"{name}{file.suffix}"))
    elif way == 4:
        file.unlink()
        file.symlink_to(random.choice(["nowhere", ".", file.name]))
    elif file.parent != root:
        folder = file.parent
        if not (folder.with_name(name)).exists():
            folder.rename(folder.with_name(name))


def _of_json(data: bytes, random: Random) -> bytes | None:
    try:
        content = json.loads(data)
    except ValueError:
        return None
    for _ in range(random.choice([1, 1, 2, 4])):
        places = list(_places(content))
        if not places:
            break
        holder, key = random.choice(places)
        way = random.randrange(6)
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder[key], list) and holder[key]:
            holder[key] = holder[key] * random.choice([2, 50])
        elif way == 2 and isinstance(holder[key], int | float):
            holder[key] = holder[key] * random.choice([-1, 2, 10**3, 10**9, 0.5])
        elif way == 3 and isinstance(holder[key], str):
            holder[key] = _of_text(holder[key].encode(errors="replace"), random).decode(
                errors="replace"
            )
        elif way == 4:
            other, place = random.choice(places)
            holder[key] = json.loads(json.dumps(other[place]))
        else:
            holder[key] = deepcopy(random.choice(VALUES))  # A value must not hold itself.
    return json.dumps(content).encode()


def _of_safetensors(data: bytes, random: Random) -> bytes:
    """Other values in the JSON that metadata are, or in the header around them."""
    end = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:end])
        about = header["__metadata__"]
        name = random.choice(list(about))
        changed = _of_json(about[name].encode(), random)
        about[name] = (changed or _of_text(about[name].encode(), random)).decode(errors="replace")
    except (ValueError, LookupError, TypeError, AttributeError):  # damaged before
        return _of_bytes(data, random)
    fresh = json.dumps(header).encode()
    if random.random() < 0.3:
        fresh = _of_json(fresh, random) or fresh
    return len(fresh).to_bytes(8, "little") + fresh + data[end:]


def _places(content: Any) -> Any:
    """All places of a value: what holds it, and its key or index."""
    stack = [content]
    while stack:
        holder = stack.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def _of_text(data: bytes, random: Random) -> bytes:
    """Another number, a line twice or not at all, a word from elsewhere."""
    text = data.decode("utf-8", errors="replace")
    found = list(NUMBER.finditer(text))
    way = random.randrange(5)
    if way < 3 and found:
        match = random.choice(found)
        return (text[: match.start()] + random.choice(NUMBERS) + text[match.end() :]).encode()
    lines = re.split(r"(?<=[\n>])", text)
    at = random.randrange(len(lines))
    if way == 3:
        lines[at : at + 1] = [lines[at]] * random.choice([0, 2, 40])
    else:
        words = re.findall(r"\w+", text) or ["x"]
        lines[at] = lines[at].replace(random.choice(words), random.choice(words), 1)
    return "".join(lines).encode()


def _of_bytes(data: bytes, random: Random) -> bytes:
    """Bits turned, cut off, doubled, filled in."""
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 8, 32])):
        if not changed:
            break
        at = random.randrange(len(changed))
        way = random.randrange(6)
        if way < 2:
            changed[at] ^= 1 << random.randrange(8)
        elif way == 2:
            changed[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif way == 3:
            del changed[at : at + random.choice([1, 4, 64])]
        elif way == 4:
            piece = changed[at : at + random.choice([4, 64])]
            changed[at:at] = piece * random.choice([1, 3])
        elif random.random() < 0.2:
            del changed[at:]
        else:
            changed[at:at] = bytes(
                random.choice([b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"[" * 99])
            )
    return bytes(changed)
