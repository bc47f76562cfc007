"""What extras bring along, and what cannot be known of them."""

from importlib import metadata
from pathlib import Path

import pytest

from tests.governance.planting import Plant
from tools.governance.findings import CannotJudge
from tools.governance.policy import Example, Policy
from tools.governance.requirements import declared
from tools.governance.tree import Tree
from tools.governance.verdict import judge_sources

INSTALLED = {
    "server-kit": ['speed[fast]>=1; extra == "full"', "plain-base"],
    "speed": ['rockets>=2; extra == "fast"', 'brakes; extra == "safe"', "wheels"],
    "rockets": ["fuel", "secret-sauce", 'speed[fast]; python_version >= "3"'],
    "wheels": [],
    "fuel": [],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "server").mkdir()
    for path in ("server/x.py", "alembic.ini", "pyproject.toml"):
        (tmp_path / path).touch()
    return tmp_path


@pytest.fixture
def metadata_of_example(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        if name not in INSTALLED:
            raise metadata.PackageNotFoundError(name)
        return INSTALLED[name]

    monkeypatch.setattr(metadata, "requires", requires)


@pytest.mark.usefixtures("metadata_of_example")
def test_extras_are_followed_all_the_way_down(root: Path) -> None:
    (root / "requirements.txt").write_text("server-kit[full]>=1\n")
    (statement,) = declared(Tree(root))
    names = {requirement.name for requirement in statement.brought_in}
    assert names == {"speed", "rockets", "wheels", "fuel", "secret-sauce"}
    assert statement.unknown == ("secret-sauce",)


@pytest.mark.usefixtures("metadata_of_example")
def test_without_extras_nothing_is_brought_in(root: Path) -> None:
    (root / "requirements.txt").write_text("server-kit\nnever-heard-of\n")
    assert [(s.brought_in, s.unknown) for s in declared(Tree(root))] == [((), ()), ((), ())]


def test_every_place_of_a_requirement_is_read(root: Path) -> None:
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["one"]\n'
        '[project]\ndependencies = [\n  "two",\n]\n'
        '[project.optional-dependencies]\nextra = ["three"]\n'
        '[dependency-groups]\ndev = ["four", {include-group = "docs"}]\n'
        '[tool.poetry.group.dev.dependencies]\npython = "^3.11"\nseven = "*"\n'
        '[tool.uv]\ndev-dependencies = ["eight"]\n'
    )
    (root / "requirements-dev.txt").write_text("# five\n-e .[notebook]\nsix>=1  # why\n")
    places = [(s.path, s.line, s.requirement.name) for s in declared(Tree(root))]
    assert places == [
        ("pyproject.toml", 2, "one"),
        ("pyproject.toml", 5, "two"),
        ("pyproject.toml", 8, "three"),
        ("pyproject.toml", 10, "four"),
        ("pyproject.toml", 13, "seven"),
        ("pyproject.toml", 15, "eight"),
        ("requirements-dev.txt", 3, "six"),
    ]


def test_requirements_files_are_read_as_pip_reads_them(root: Path) -> None:
    (root / "server/deploy").mkdir()
    (root / "server/deploy/requirements.txt").write_text(
        "--index-url https://x\none==1 \\\n  --hash=sha256:0\n-c ../pins.txt\n-r requirements.txt\n"
    )
    (root / "server/pins.txt").write_text("# pinned\ntwo==2  # why\n")
    places = [(s.path, s.line, s.requirement.name) for s in declared(Tree(root))]
    assert places == [("server/deploy/requirements.txt", 2, "one"), ("server/pins.txt", 2, "two")]


def test_what_pip_is_told_to_install_is_read(root: Path) -> None:
    (root / "setup.sh").write_text("true\npip install -q 'one[x]>=1' two && three -r four.txt\n")
    (root / "Makefile").write_text("# after `pip install five` run six\n")
    places = [(s.path, s.line, s.requirement.name) for s in declared(Tree(root))]
    assert places == [("Makefile", 1, "five"), ("setup.sh", 2, "one"), ("setup.sh", 2, "two")]


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("requirements.txt", "one two\n", r"requirements\.txt:1: 'one two' is not a requirement"),
        ("requirements.txt", "-r others.txt\n", r"others\.txt cannot be read"),
        ("requirements.txt", "-e git+https://x\n", r"'-e git\+https://x' is not a requirement"),
        ("pyproject.toml", "[project\n", r"pyproject\.toml cannot be parsed"),
    ],
)
def test_a_requirement_that_cannot_be_read_is_refused(
    root: Path, path: str, text: str, complaint: str
) -> None:
    (root / path).write_text(text)
    with pytest.raises(CannotJudge, match=complaint):
        list(declared(Tree(root)))


def test_an_extra_that_is_not_installed_is_no_pass(policy: Policy, plant: Plant) -> None:
    with (
        plant(Example("requirements-extra.txt", "never-heard-of[fast]\n", None)) as root,
        pytest.raises(CannotJudge, match=r"requirements-extra\.txt:1: never-heard-of\[fast\]"),
    ):
        judge_sources(Tree(root), policy)
