"""What we make is for ourselves alone, whatever the umask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import small_disk

from common.files import exclusive, keep_private, make_private_folder, write_durably
from common.settings import Settings


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_new_folders_and_files_are_private(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    with exclusive(tmp_path / "c" / "d" / "lock"):
        write_durably(tmp_path / "c" / "text", "text")

    assert [mode_of(tmp_path / name) for name in ("a", "a/b", "c", "c/d")] == [0o700] * 4
    assert [mode_of(tmp_path / name) for name in ("c/d/lock", "c/text")] == [0o600] * 2


def test_a_file_for_which_there_is_no_room_is_the_old_one_and_leaves_no_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "room", "size=64k") as disk:
        file = disk.seen / "text"
        write_durably(file, "old")
        with pytest.raises(OSError, match="No space left"):
            write_durably(file, "new" * 100_000)
        assert [path.name for path in disk.seen.iterdir()] == ["text"]
        assert file.read_text() == "old"


def test_what_is_there_is_closed_unless_all_share_it(tmp_path: Path) -> None:
    ours, shared, file = tmp_path / "ours", tmp_path / "shared", tmp_path / "file"
    ours.mkdir(0o777)
    shared.mkdir()
    shared.chmod(0o1777)
    file.touch(0o664)
    for path in (ours, shared, file, tmp_path / "nothing"):
        keep_private(path)
    assert [mode_of(path) for path in (ours, shared, file)] == [0o700, 0o1777, 0o600]


def test_chmod_that_is_not_permitted_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    keep_private(tmp_path)


def test_data_folder_of_an_older_version_is_closed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(0o755)
    Settings.from_environment({"RECOMMENDER_DATA": str(data)})
    assert mode_of(data) == 0o700
