"""That no test is switched off, or kept from being found."""

import ast
from collections.abc import Iterator

from tools.governance.findings import Finding
from tools.governance.literals import first_argument
from tools.governance.tree import Module, Tree

TESTS = "tests"
CONDITIONAL_SKIPS = frozenset({"pytest.mark.skipif", "unittest.skipIf", "unittest.skipUnless"})

# Names by which a module or a conftest.py keeps tests from being collected.
HIDING_VARIABLES = frozenset({"__test__", "collect_ignore", "collect_ignore_glob"})
HIDING_HOOKS = frozenset(
    {
        "pytest_collection_modifyitems",
        "pytest_deselected",
        "pytest_ignore_collect",
        "pytest_runtest_protocol",
    }
)


def tests_run(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under([TESTS])):
        for line, what in _switches(module):
            yield Finding(module.path, line, what)


def _switches(module: Module) -> Iterator[tuple[int, str]]:
    for node in module.nodes:
        match node:
            case ast.Call(keywords=keywords) if _named(keywords, "allow_module_level"):
                yield node.lineno, "a whole module is skipped"
            case ast.FunctionDef(name=name) if name in HIDING_HOOKS:
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) if name in HIDING_VARIABLES:
                yield node.lineno, name
    for call, path in module.calls:
        if path in CONDITIONAL_SKIPS and isinstance(
            first_argument(call, "condition"), ast.Constant
        ):
            yield call.lineno, "the condition of a skip is none"


def _named(keywords: list[ast.keyword], name: str) -> bool:
    return any(keyword.arg == name for keyword in keywords)
