"""API keys: the file, its ring in each process, the commands."""

import json
import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small_disk import small_disk

from common.settings import Settings
from scripts.sandbox import environment_of
from service.__main__ import main
from service.access.keys import MOST_KEYS, PREFIX, Key, KeyRing, KeysError, add_key, digest_of, read_keys, remove_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def run_keys(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments], env=environment_of(Settings(data=data)))


def test_a_key_is_kept_only_as_a_digest_in_a_private_file(file: Path) -> None:
    secret = add_key(file, "app", "write", 100)
    assert re.fullmatch(PREFIX + r"[\w-]{43}", secret)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    [kept] = json.loads(file.read_text())["keys"]
    assert set(kept) == {"name", "scopes", "sha256", "slot", "perMinute", "createdAt"}
    assert (kept["scopes"], kept["sha256"], kept["perMinute"]) == (["read", "write"], digest_of(secret), 100)


def test_the_key_that_was_made_is_found_and_nothing_like_it(file: Path) -> None:
    secrets = {name: add_key(file, name, "read", 10) for name in ("one", "two", "three")}
    ring = KeyRing(file)
    for name, secret in secrets.items():
        found = ring.find(secret)
        assert found is not None
        assert found.name == name
        for other in (
            "",
            PREFIX,
            secret[:-1],
            secret + "a",
            secret.lower(),
            f" {secret}",
            "é",
            "\udcff",
            secret * 9999,
        ):
            assert ring.find(other) is None
        assert ring.find(found.sha256) is None


@pytest.mark.parametrize(("scope", "reads", "writes"), [("read", True, False), ("write", True, True)])
def test_scopes(file: Path, scope: str, reads: bool, writes: bool) -> None:
    found = KeyRing(file).find(add_key(file, "app", scope, 10))  # type: ignore[arg-type]
    assert isinstance(found, Key)
    assert (found.allows("read"), found.allows("write")) == (reads, writes)


def test_slots_are_used_again(file: Path) -> None:
    for name in ("one", "two", "three"):
        add_key(file, name, "read", 10)
    remove_key(file, "two")
    add_key(file, "four", "read", 10)
    assert {key.name: key.slot for key in read_keys(file)} == {"one": 0, "three": 2, "four": 1}


def test_a_ring_sees_keys_come_and_go(file: Path) -> None:
    ring = KeyRing(file)
    assert ring.keys() is None
    secret = add_key(file, "app", "read", 10)
    assert ring.find(secret) is not None
    remove_key(file, "app")
    assert ring.find(secret) is None
    assert ring.keys() == ()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"keys": [{"name": "a"}]}', '{"keys": [], "more": 1}', "\xff\x00"],
)
def test_a_broken_file_is_an_error_and_no_key_is_found(file: Path, content: str) -> None:
    secret = add_key(file, "app", "read", 10)
    ring = KeyRing(file)
    assert ring.find(secret)
    file.write_bytes(content.encode("latin-1"))
    for _ in range(2):
        with pytest.raises(KeysError, match="broken"):
            ring.find(secret)
    with pytest.raises(KeysError, match="broken"):
        add_key(file, "other", "write", 10)
    assert file.read_bytes() == content.encode("latin-1")


def test_two_keys_of_one_slot_or_name_are_an_error(file: Path) -> None:
    add_key(file, "app", "read", 10)
    keys = json.loads(file.read_text())["keys"]
    file.write_text(json.dumps({"keys": [*keys, {**keys[0], "name": "twin"}]}))
    with pytest.raises(KeysError, match="same slot"):
        read_keys(file)
    file.write_text(json.dumps({"keys": [*keys, {**keys[0], "slot": 5}]}))
    with pytest.raises(KeysError, match="same name"):
        read_keys(file)


def test_a_file_that_has_gone_does_not_open_a_running_service(file: Path) -> None:
    secret = add_key(file, "app", "read", 10)
    ring = KeyRing(file)
    assert ring.find(secret)
    file.unlink()
    with pytest.raises(KeysError, match="put it back"):
        ring.keys()


def test_a_file_that_is_named_must_be_there(file: Path) -> None:
    ring = KeyRing(file, required=True)
    with pytest.raises(KeysError, match="there is no"):
        ring.keys()
    secret = add_key(file, "app", "read", 10)
    assert ring.find(secret)


def test_there_are_only_so_many_keys(file: Path) -> None:
    add_key(file, "app", "read", 10)
    [first] = json.loads(file.read_text())["keys"]
    many = [{**first, "name": f"app{slot}", "slot": slot} for slot in range(MOST_KEYS)]
    file.write_text(json.dumps({"keys": many}))
    with pytest.raises(KeysError, match="remove one first"):
        add_key(file, "one-more", "read", 10)


def test_commands(tmp_path: Path) -> None:
    added = run_keys(tmp_path, "add", "app", "--scope", "write", "--per-minute", "120")
    assert added.exit_code == 0
    secret = added.stdout.strip()
    assert KeyRing(tmp_path / "keys.json").find(secret)
    assert run_keys(tmp_path, "add", "reader").exit_code == 0
    listed = run_keys(tmp_path, "list")
    assert [line.split()[:3] for line in listed.stdout.splitlines()] == [
        ["app", "read+write", "120/min"],
        ["reader", "read", "6000/min"],
    ]
    assert secret not in listed.output
    assert run_keys(tmp_path, "remove", "app").exit_code == 0
    assert run_keys(tmp_path, "list").stdout.split()[0] == "reader"
    assert KeyRing(tmp_path / "keys.json").find(secret) is None


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (["add", "app"], 1, "already"),
        (["add", "../x"], 1, "../x"),
        (["add", ""], 1, "name"),
        (["add", "x", "--scope", "all"], 2, "--scope"),
        (["add", "x", "--per-minute", "0"], 2, "--per-minute"),
        (["remove", "nobody"], 1, "keys list"),
    ],
)
def test_wrong_commands_are_told_so(tmp_path: Path, arguments: list[str], exit_code: int, told: str) -> None:
    run_keys(tmp_path, "add", "app")
    result = run_keys(tmp_path, *arguments)
    assert (result.exit_code, told in result.stderr) == (exit_code, True), result.stderr
    assert "Traceback" not in result.output


def test_a_broken_file_is_told_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("nonsense")
    result = run_keys(tmp_path, "list")
    assert (result.exit_code, "broken" in result.stderr) == (1, True)


def test_the_file_is_replaced_as_a_whole(file: Path) -> None:
    add_key(file, "one", "read", 10)
    before = file.stat().st_ino
    with file.open() as held:
        add_key(file, "two", "read", 10)
        assert os.fstat(held.fileno()).st_ino == before
        assert len(json.load(held)["keys"]) == 1
    assert {path.name for path in file.parent.iterdir()} == {"keys.json", "keys.lock"}


def test_a_key_for_which_there_is_no_room_is_told_and_the_others_stay(tmp_path: Path) -> None:
    with small_disk(tmp_path / "room", "size=64k") as disk:
        data = disk.seen / "data"
        assert run_keys(data, "add", "one").exit_code == 0
        disk.fill()
        result = run_keys(data, "add", "two")
        assert (result.exit_code, "the disk is full" in result.stderr) == (1, True), result.output
        assert [key.name for key in read_keys(data / "keys.json")] == ["one"]
