"""By which name the current directory is known."""

from pathlib import Path

import pytest

from quaich.server.system.directory import working_directory


def test_the_name_is_the_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it leads here: who starts a process elsewhere leaves the variable as it was."""
    (tmp_path / "one").mkdir()
    link = tmp_path / "current"
    link.symlink_to("one")
    monkeypatch.chdir(link)
    for named, is_right in [(link, True), (tmp_path, False), ("nowhere", False), (".", False)]:
        monkeypatch.setenv("PWD", str(named))
        assert working_directory() == str(link if is_right else tmp_path / "one")
    monkeypatch.delenv("PWD")
    assert working_directory() == str(tmp_path / "one")


def test_it_has_been_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "")
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    (tmp_path / "one").rmdir()
    assert working_directory() == "/"
