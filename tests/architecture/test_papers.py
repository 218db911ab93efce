"""The papers of the repository: there, complete, and true of what is tracked."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rathaus.registry import NAMES
from services.payments.adapters.registry import ADAPTERS
from tests.sixth_service.lines import LINES

ROOT = Path(__file__).parents[2]
PACKAGES = ("kernel", "contracts", "service_format", "chassis", "services", "rathaus")
# In two halves, so that this file does not name what it looks for.
REGISTRIES = [
    f"{name}.{ending}".encode()
    for name, ending in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("maven", "org"),
        ("maven.apache", "org"),
        ("crates", "io"),
        ("proxy.golang", "org"),
        ("rubygems", "org"),
    ]
]


@pytest.fixture(scope="module")
def publiccode() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "publiccode.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize(
    "key",
    [
        "publiccodeYmlVersion",
        "name",
        "url",
        "platforms",
        "categories",
        "developmentStatus",
        "softwareType",
        "description",
        "legal/license",
        "maintenance/type",
        "maintenance/contacts",
        "localisation/localisationReady",
        "localisation/availableLanguages",
    ],
)
def test_publiccode_has_its_mandatory_keys(publiccode: dict[str, Any], key: str) -> None:
    value: Any = publiccode
    for part in key.split("/"):
        value = value[part]
    assert value


def test_publiccode_says_what_the_project_says(publiccode: dict[str, Any]) -> None:
    assert publiccode["developmentStatus"] == "development"
    assert publiccode["legal"]["license"] == "EUPL-1.2"
    assert publiccode["localisation"]["availableLanguages"] == ["de", "en"]
    assert f'version = "{publiccode["softwareVersion"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["de", "en"])
def test_publiccode_describes_in_the_lengths_of_the_standard(publiccode: dict[str, Any], language: str) -> None:
    description = publiccode["description"][language]
    assert len(description["shortDescription"]) <= 150
    assert 150 <= len(description["longDescription"]) <= 10_000
    assert description["features"]


def test_the_licence_is_the_whole_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    lines = text.splitlines()
    for article in range(1, 16):
        assert any(line.startswith(f"{article}.") for line in lines), article
    assert "‘Compatible Licences’ according to Article 5 EUPL are:" in lines
    assert text.rstrip().endswith("require the production of a new EUPL version.")


def test_the_readme_fits_on_a_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "docs/decisions/README.md"])
def test_the_other_papers_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


@pytest.mark.parametrize(
    ("heading", "some"),
    [
        (
            "### A new service",
            {"contracts/<name>.py", "services/<name>/", "rathaus/registry.py", "tests/sixth_service/"},
        ),
        (
            "### A field more in an application",
            {"services/applications/domain/state.py", "services/applications/views.py", "tests/support/cases.py"},
        ),
        (
            "### A new event",
            {
                "contracts/<name>.py",
                "contracts/examples.py",
                "services/<name>/domain",
                "services/<name>/subscribers.py",
            },
        ),
    ],
)
def test_the_files_that_a_recipe_names_are_there(heading: str, some: set[str]) -> None:
    """The recipe of a service is followed by tests/component/rathaus/test_sixth_service.py."""
    recipe = section((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), heading)
    named = set(re.findall(r"`([\w./<>-]+/[\w./<>-]*)`", recipe)) - {"/<name>/"}
    assert named > some
    for name in named:
        for service in NAMES if "<name>" in name else [""]:
            path = ROOT / name.replace("<name>", service)
            room = path if path.suffix or path.is_dir() else path.with_suffix(".py")
            assert path.is_dir() if name.endswith("/") else room.exists(), path


def test_the_files_that_the_recipe_of_a_payment_provider_names_are_there() -> None:
    """Each adapter has the files of the recipe."""
    recipe = section((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "### A new payment provider")
    named = set(re.findall(r"`([\w./<>-]+/[\w./<>-]*)`", recipe))
    adapters = "services/payments/adapters"
    assert named > {f"{adapters}/<name>/", f"{adapters}/base.py", f"{adapters}/registry.py"}
    for name in named:
        for adapter in ADAPTERS if "<name>" in name else [""]:
            path = ROOT / name.replace("<name>", adapter)
            assert path.is_dir() if name.endswith("/") else path.is_file(), path


def test_each_adapter_of_a_payment_provider_is_registered() -> None:
    folders = (ROOT / "services/payments/adapters").glob("*/__init__.py")
    assert {path.parent.name for path in folders} == set(ADAPTERS)


def test_the_recipe_of_a_service_names_every_file_that_its_example_changes() -> None:
    recipe = section((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "### A new service")
    for name in {name for name, _, _ in LINES}:
        assert f"| `{name}` |" in recipe, name


def section(text: str, heading: str) -> str:
    """A heading's part of a page, up to the next heading of any level."""
    return re.split(r"^#", text.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_decision_is_in_the_index_and_fits_on_a_page() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    for record in (ROOT / "docs/decisions").glob("[0-9]*.md"):
        assert f"({record.name})" in index, record.name
        assert len(record.read_text(encoding="utf-8").splitlines()) <= 60, record.name


def test_no_tracked_file_names_a_package_registry(tracked: list[Path]) -> None:
    named = {str(path.relative_to(ROOT)) for path in tracked for host in REGISTRIES if host in path.read_bytes()}
    assert not named


def test_the_resolver_s_own_lock_is_not_tracked(tracked: list[Path]) -> None:
    """It names the registry that it was made with; `requirements/lock.txt` is the lock, and does not."""
    assert "uv.lock" not in {path.name for path in tracked}


def test_one_file_speaks_to_the_database_driver() -> None:
    """docs/decisions/0004-motor-behind-one-file.md"""
    drivers = {"motor", "pymongo", "bson"}
    ours = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    speaking = {str(path.relative_to(ROOT)) for path in ours if drivers & set(_imported(path))}
    assert speaking <= {"chassis/mongo.py"}


def test_examples_stand_outside() -> None:
    for path in (ROOT / "examples").rglob("*.py"):
        assert not set(PACKAGES) & set(_imported(path)), path


def _imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass
