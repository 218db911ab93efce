"""Only jars that the lock names by SHA-256 are run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rathaus.engines import CannotStart, jars

ENTRY = """
[[dependencies]]
groupId = "org.example"
artifactId = "thing"
version = "1"
packaging = "jar"
"""
SHA256 = 'sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"\n'  # of b"foo"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Maven cache, and nothing that could be fetched from."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "absent.conf"))
    monkeypatch.setattr(jars, "_fetch", _refuse)
    return tmp_path / "m2"


def _refuse(*_: object) -> None:
    raise CannotStart("nothing may be fetched here")


@pytest.fixture
def lock(tmp_path: Path) -> Callable[[str], Path]:
    def _write(text: str) -> Path:
        file = tmp_path / "test.lock"
        file.write_text(text)
        return file

    return _write


def put(repository: Path, content: bytes) -> Path:
    """A jar where Maven would keep it."""
    jar = repository / "org" / "example" / "thing" / "1" / "thing-1.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(content)
    return jar


@pytest.mark.usefixtures("repository")
def test_an_entry_without_sha256_is_refused(lock: Callable[[str], Path]) -> None:
    with pytest.raises(CannotStart, match=r"without sha256: org\.example:thing:1"):
        jars.ensure(lock(ENTRY))


@pytest.mark.usefixtures("repository")
def test_an_empty_lock_is_refused(lock: Callable[[str], Path]) -> None:
    with pytest.raises(CannotStart, match="without sha256: none at all"):
        jars.ensure(lock("[metadata]\n"))


@pytest.mark.usefixtures("repository")
def test_a_lock_that_names_an_address_is_refused(lock: Callable[[str], Path]) -> None:
    with pytest.raises(CannotStart, match="names an address"):
        jars.ensure(lock(ENTRY + SHA256 + 'source = "https://example.org/maven"\n'))


def test_a_jar_that_is_there_and_right_is_used_offline(lock: Callable[[str], Path], repository: Path) -> None:
    jar = put(repository, b"foo")
    jars.ensure(lock(ENTRY + SHA256))
    assert jars.class_path(lock(ENTRY + SHA256)) == str(jar)


def test_a_jar_with_another_content_is_not_used(
    lock: Callable[[str], Path], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, b"bar")
    monkeypatch.setattr(jars, "_fetch", lambda *_: None)
    with pytest.raises(CannotStart, match="checksum mismatch"):
        jars.ensure(lock(ENTRY + SHA256))


def test_without_a_network_it_says_what_to_do(
    lock: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jgo.conf").write_text("[settings]\n")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setattr("jgo.maven._core.DEFAULT_REMOTE_REPOS", {"central": "http://127.0.0.1:9/closed"})
    with pytest.raises(CannotStart, match="The first start needs a network"):
        jars.ensure(lock(ENTRY + SHA256))
    assert not [file for _, _, files in os.walk(tmp_path / "m2") for file in files if file.endswith(".jar")]


def test_the_committed_lock_is_whole() -> None:
    class_path = jars.class_path().split(os.pathsep)
    assert len(class_path) == 46
    assert [name for name in ("kafka_2.13-4.3.0.jar", "kafka-clients-4.3.0.jar") if name in map(_name, class_path)]


def _name(path: str) -> str:
    return Path(path).name
