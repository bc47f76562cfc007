"""The documents exist, their links resolve, and what they speak of is what the code has."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import forgesyte_client
from app.api_routes.error_handlers import STATUSES
from app.cli import exit_codes
from app.core.settings import ENV_PREFIX, Settings
from app.main import create_app
from app.models.job import JobStatus
from app.services.pipelines.registry import PipelineRegistry
from tests.docs import rollback
from tests.docs.markdown import (
    PHASE,
    REPOSITORY,
    anchors,
    citations,
    code_words,
    documents,
    languages,
    links,
    rows,
    section,
    tracked_files,
)

TITLES = [
    "Overview",
    "Architecture",
    "Endpoints",
    "Migration_Guide",
    "Rollback_Plan",
    "Contributor_Exam",
    "Release_Notes",
]
DOCUMENTS = documents()
NAMES = [str(path.relative_to(REPOSITORY)) for path in DOCUMENTS]
FILES = tracked_files()
TARGETS = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
OPENAPI: dict[str, Any] = create_app().openapi()["paths"]

# The tests that run the commands of a document.
RUN_BY = {
    "README.md": "test_readme_commands.py",
    ".ampcode/04_PHASE_NOTES/Phase_16/Migration_Guide.md": "test_migration_guide.py",
    ".ampcode/04_PHASE_NOTES/Phase_16/Rollback_Plan.md": "test_rollback_plan.py",
}
NOT_COMMANDS = {"python", "toml", "json", "mermaid", ""}
SETTINGS = {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields} | {f"{ENV_PREFIX}URL"}
NOT_OURS = {"player_detection"}  # a tool of a plugin that others publish

everywhere = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def text_of(title: str) -> str:
    return (PHASE / f"{title}.md").read_text()


def test_the_documents_of_the_phase_are_there_and_the_overview_leads_to_each() -> None:
    assert sorted(path.stem for path in PHASE.iterdir()) == sorted(TITLES)
    assert {f"{title}.md" for title in TITLES[1:]} <= {*links(text_of("Overview"))}


@everywhere
def test_links_resolve(document: Path) -> None:
    for link in links(document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        relative = target.relative_to(REPOSITORY)
        assert any(Path(file).is_relative_to(relative) for file in FILES), f"{link} is untracked"
        if anchor:
            assert anchor in anchors(target.read_text()), link


def defined_in(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """The dotted names of the functions and classes of a module, methods included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from defined_in(node.body, f"{prefix}{node.name}.")


@everywhere
def test_what_is_cited_is_defined_there(document: Path) -> None:
    for name, path in citations(document.read_text()):
        assert name in {*defined_in(ast.parse((REPOSITORY / path).read_text()).body)}, path


def test_all_that_must_not_happen_is_held_off_by_something() -> None:
    text = section(text_of("Architecture"), "What must not happen")
    assert text.count("](") == len(citations(text))
    for fault, by in rows(text)[2:]:
        assert "](" in by, fault


@everywhere
def test_nothing_is_left_to_do(document: Path) -> None:
    assert not re.search(r"\b(TODO|TBD|FIXME|XXX|coming soon)\b", document.read_text(), re.I)


def test_every_block_of_commands_is_run_by_a_test() -> None:
    with_commands = {
        name
        for name, document in zip(NAMES, DOCUMENTS, strict=True)
        if languages(document.read_text()) - NOT_COMMANDS
    }
    assert with_commands == RUN_BY.keys()
    assert {f"tests/docs/{test}" for test in RUN_BY.values()} <= {*FILES}


@everywhere
def test_make_targets_exist(document: Path) -> None:
    assert {*re.findall(r"(?:^\$ |`)make ([a-z]+)", document.read_text(), re.M)} <= TARGETS


def test_contributors_are_told_of_every_command() -> None:
    table = rows((REPOSITORY / "CONTRIBUTING.md").read_text())
    assert {command for command, _ in table if command.startswith("make ")} == {
        f"make {target}" for target in TARGETS
    }


@everywhere
def test_settings_exist(document: Path) -> None:
    assert {*re.findall(rf"{ENV_PREFIX}[A-Z_]+[A-Z]", document.read_text())} <= SETTINGS


@everywhere
def test_endpoints_exist(document: Path) -> None:
    known = {path.partition("/{")[0] for path in OPENAPI}
    text = document.read_text()
    assert {*re.findall(r"(?<![\w.*])/video/\w+", text)} <= known
    named = re.findall(r"\b(?:GET|POST|PUT|PATCH|DELETE|HEAD) (/\S*?)[`\]|, ]", text)
    assert {path.partition("/{")[0].partition("/…")[0] for path in named} <= known | {"/"}


def endpoints() -> dict[tuple[str, str], set[str]]:
    """The status codes of each endpoint that is described."""
    text = text_of("Endpoints")
    found = re.findall(r"^## (([A-Z]+) (/video/\S+))$", text, re.MULTILINE)
    return {
        (method, path): {row[0] for row in rows(section(text, heading)) if row[0].isdecimal()}
        for heading, method, path in found
    }


def test_the_endpoints_are_described_and_no_others() -> None:
    methods = {(method.upper(), path) for path, item in OPENAPI.items() for method in item}
    assert endpoints().keys() == methods


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint[1])
def test_an_endpoint_s_errors_are_described_and_no_others(endpoint: tuple[str, str]) -> None:
    method, path = endpoint
    answers = {*OPENAPI[path][method.lower()]["responses"]} - {"200"}
    assert endpoints()[endpoint] == answers


def test_every_error_of_a_request_is_one_of_an_endpoint() -> None:
    codes = {str(status.value) for status in STATUSES.values()}
    assert codes <= set().union(*endpoints().values())


def test_the_client_s_errors_are_described_and_no_others() -> None:
    named = {row[0] for row in rows(section(text_of("Endpoints"), "What the client raises"))}
    raised = {
        name
        for name, kind in vars(forgesyte_client).items()
        if isinstance(kind, type) and issubclass(kind, forgesyte_client.ForgeSyteClientError)
    }
    assert named - {"error", "---"} == raised - {"ForgeSyteClientError"}


def test_the_exit_codes_are_those_of_the_command() -> None:
    described = rows(section(text_of("Endpoints"), "Exit codes of the command line"))
    printed = re.findall(r"^(\d+)  (.+)$", exit_codes.EXPLAINED, re.MULTILINE)
    assert [
        (code, when.replace("`", "")) for code, when in described if code.isdecimal()
    ] == printed


def test_the_states_are_those_of_the_code() -> None:
    diagram = section(text_of("Architecture"), "States")
    moves = re.findall(r"^    (\S+) --> ([^\s:]+)", diagram, re.MULTILINE)
    assert {state for move in moves for state in move} - {"[*]"} == {*JobStatus}
    progress = section(text_of("Endpoints"), "GET /video/status/{job_id}")
    assert {*re.findall(r"`(\w+)`", progress)} == {*JobStatus, "progress"}


def test_the_pipelines_are_those_of_the_code() -> None:
    """Wherever they are listed; the README has a table, which its own tests read."""
    lists = {
        "Overview": r"^\| pipelines: (.*?), and",
        "Release_Notes": r"^\| Pipelines \| (.*?);",
    }
    for title, line in lists.items():
        found = re.search(line, text_of(title), re.MULTILINE)
        assert found, title
        assert sorted(re.findall(r"`(\w+)`", found[1])) == PipelineRegistry().ids()


def test_the_release_notes_name_every_new_dependency_and_no_others() -> None:
    """New is what the rollback plan takes away, and what the notebook needs."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    optional = [Requirement(line).name for line in project["optional-dependencies"]["notebook"]]
    table = rows(section(text_of("Release_Notes"), "Upgrading"))
    told = {name.strip("` ") for names, _ in table for name in names.split(",")}
    assert told - {"new dependencies", "---"} == {*rollback.packages_that_go(), *optional}


@everywhere
def test_every_word_in_code_font_stands_in_the_code(document: Path) -> None:
    kinds = (".py", ".toml", ".yml", ".yaml", ".ini", "Makefile")
    code = [(REPOSITORY / path).read_text() for path in FILES if path.endswith(kinds)]
    known = {*re.findall(r"[A-Za-z_]\w+", "\n".join([*code, *FILES]))}
    assert code_words(document.read_text()) - known - SETTINGS - NOT_OURS == set()


@pytest.mark.parametrize("form", ["bug.yml", "feature.yml", "config.yml"])
def test_the_issue_forms_are_ones(form: str) -> None:
    schema = "config" if form == "config.yml" else "forms"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", f"vendor.github-issue-{schema}"),
            REPOSITORY / ".github/ISSUE_TEMPLATE" / form,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_what_the_issue_forms_link_to_exists() -> None:
    """From the address of a form, a file is at ../blob/main."""
    form = (REPOSITORY / ".github/ISSUE_TEMPLATE/feature.yml").read_text()
    targets = re.findall(r"\]\(\.\./blob/main/([^)#]+)(?:#([^)]+))?\)", form)
    assert form.count("](") == len(targets) > 0
    for path, anchor in targets:
        assert path in FILES
        assert not anchor or anchor in anchors((REPOSITORY / path).read_text())


def test_the_release_notes_are_those_of_the_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert text_of("Release_Notes").startswith(f"# Release notes: {project['version']}\n")
