"""The house as architecture and style describe it, read from the code itself."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from chassis import metrics
from chassis.settings import PREFIX, ServiceSettings, known_variables
from contracts import topics
from contracts.catalogue import EVENTS
from rathaus import settings_page
from rathaus.registry import NAMES

ROOT = Path(__file__).parents[2]
PACKAGES = ("kernel", "contracts", "service_format", "chassis", "services", "rathaus")
ROOMS = ("main", "api", "subscribers", "workers", "handlers", "domain", "store", "settings")

PURE_PACKAGES = ("kernel", "service_format")
IMPURE_IMPORTS = {
    "aiokafka",
    "anyio",
    "asyncio",
    "faststream",
    "fastapi",
    "httpx",
    "io",
    "motor",
    "os",
    "pathlib",
    "pymongo",
    "random",
    "requests",
    "secrets",
    "shutil",
    "smtplib",
    "socket",
    "sqlite3",
    "starlette",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uvicorn",
}
CHASSIS_IN_DOMAINS = {"chassis.change", "chassis.errors"}
IMPURE_CALLS = {
    "getenv",
    "input",
    "now",
    "open",
    "print",
    "read_bytes",
    "read_text",
    "today",
    "urandom",
    "uuid1",
    "uuid4",
    "write_bytes",
    "write_text",
}


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "")


def pure_files() -> dict[str, ast.Module]:
    """Domains, the pure packages, and every file of ours that they import, directly or through others."""
    ours = dict(modules(*PACKAGES))
    waiting = [
        name for name in ours if re.match(r"services/\w+/domain(\.py|/)", name) or name.split("/")[0] in PURE_PACKAGES
    ]
    assert {name.split("/")[1] for name in waiting if name.startswith("services/")} == set(NAMES)
    found: dict[str, ast.Module] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = ours[name]
            waiting.extend(imported_files(ours[name], ours))
    return found


def imported_files(tree: ast.Module, ours: Mapping[str, ast.Module]) -> set[str]:
    """The files of ours that a file imports: `from a.b import c` may name `a/b.py` or `a/b/c.py`."""
    named: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                named |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                named |= {module, *(f"{module}.{alias.name}" for alias in aliases)}
            case _:
                pass
    paths = (name.replace(".", "/") for name in named)
    return {file for path in paths for file in (f"{path}.py", f"{path}/__init__.py") if file in ours}


@pytest.mark.parametrize("service", NAMES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    home = ROOT / "services" / service
    for room in ROOMS:
        assert (home / f"{room}.py").exists() or (home / room).is_dir(), f"{service} has no {room}"
    readme = (home / "README.md").read_text()
    assert len(readme.splitlines()) <= 75, "one screen"
    for word in ("Owns", "Emits", "Consumes", f"services.{service}.main"):
        assert word.lower() in readme.lower(), f"{service}'s README says nothing of {word}"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_loads_from_this_tree(package: str) -> None:
    """A foreign package of the same name on the path would win over ours."""
    loaded = importlib.import_module(package).__file__
    assert loaded is not None
    assert Path(loaded).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("package", [*PACKAGES, "examples", "benchmarks"])
def test_nothing_imports_tests(package: str) -> None:
    for name, tree in modules(package):
        outside = {each.split(".")[0] for each in imports(tree)} & {"tests", "benchmarks", "examples"}
        assert outside <= {package}, f"{name} imports {outside}"


@pytest.mark.parametrize("name", ["services/notifications/rules.py", "service_format/service.py", "kernel/written.py"])
def test_what_a_domain_imports_is_judged_like_the_domain(name: str) -> None:
    assert name in pure_files()


def test_pure_files_import_nothing_that_acts() -> None:
    for name, tree in pure_files().items():
        for each in imports(tree):
            assert each.split(".")[0] not in IMPURE_IMPORTS, f"{name} imports {each}"
            if each.startswith("chassis"):
                assert each in CHASSIS_IN_DOMAINS, f"{name} imports {each}"


def test_pure_files_ask_no_clock_and_wait_for_nothing() -> None:
    for name, tree in pure_files().items():
        for node in ast.walk(tree):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), f"{name}:{node.lineno} is async"
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                assert called not in IMPURE_CALLS, f"{name}:{node.lineno} calls {called}"


def test_no_service_opens_a_database_of_its_own() -> None:
    """Each gets the one that carries its name from `chassis.service`: no other can be reached."""
    for name, tree in modules("services"):
        taken = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "chassis.mongo"
            for alias in node.names
        }
        assert "Database" not in taken, f"{name} opens a database"


def test_only_stores_speak_mongo() -> None:
    """Queries stand in `store.py`; a dollar operator anywhere else is one that strayed."""
    operator = re.compile(r"\"\$(set|in|gt|lt|gte|lte|or|and|exists|push|unset|max|inc)\"")
    for file in sorted((ROOT / "services").rglob("*.py")):
        if file.stem == "store" or file.parent.name == "store":
            continue
        assert not operator.search(file.read_text()), f"{file.relative_to(ROOT)} speaks Mongo"


@pytest.mark.parametrize("service", NAMES)
def test_every_subscriber_listens_to_a_declared_topic(service: str) -> None:
    names = {name for name, _ in ((event.__name__, event) for event in EVENTS.values())}
    tree = ast.parse((ROOT / "services" / service / "subscribers.py").read_text())
    heard = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("contracts.")
        for alias in node.names
    }
    events = {each for each in heard if each in names}
    assert all(event.topic in topics.ALL for event in EVENTS.values() if event.__name__ in events)
    if service in {"applications", "payments", "notifications", "catalog"}:
        assert events, f"{service} hears nothing"


def test_the_runbooks_name_only_metrics_settings_and_commands_that_exist() -> None:
    declared = {
        sample.name
        for collector in vars(metrics).values()
        if isinstance(collector, MetricWrapperBase)
        for sample in collector.describe()
    }
    families = declared | {f"{name}_total" for name in declared}
    known = known_variables([ServiceSettings]) | {f"{PREFIX}STATE_DIR"}
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        text = page.read_text()
        for name in re.findall(r"\brathaus_[a-z_]+\b", text):
            assert name in families, f"{page.name} names the metric {name}"
        for name in re.findall(r"\bRATHAUS_[A-Z_]+\b", text):
            assert name in known, f"{page.name} names the setting {name}"


def test_the_command_line_has_every_command_that_the_docs_name() -> None:
    from typer.main import get_command  # noqa: PLC0415

    from rathaus.cli import app  # noqa: PLC0415

    root = get_command(app)
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").glob("*/README.md")]
    for page in pages:
        for words in re.findall(r"`rathaus ([a-z][a-z -]*)", page.read_text()):
            command = root
            for word in words.split():
                children = getattr(command, "commands", None)
                if children is None or word.startswith("-"):
                    break
                assert word in children, f"{page.relative_to(ROOT)} names `rathaus {words}`"
                command = children[word]


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "run: make docs"


def test_every_setting_says_what_it_is() -> None:
    for line in settings_page.page().splitlines():
        if line.startswith("| `"):
            assert line.rsplit("|", 2)[1].strip(), f"{line} isn't described"
