"""Every rule of the policy over one tree."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.governance import schema, structure
from tools.governance.bans import find_banned
from tools.governance.blocking import ci_blocks
from tools.governance.findings import CannotJudge, Finding, Violation
from tools.governance.hooks import hooks_do_not_skip
from tools.governance.policy import Policy, Rule
from tools.governance.requirements import Declared, declared
from tools.governance.testing import tests_run
from tools.governance.tree import Tree
from tools.governance.vocabulary import find_terms

SOURCE_CHECKS: Mapping[str, Callable[[Tree], Iterator[Finding]]] = {
    "shared-base": structure.one_shared_base,
    "schema-by-migration": structure.schema_by_migration,
    "route-placement": structure.routes_in_their_folder,
    "endpoints": structure.three_endpoints,
    "queue-payload": structure.only_ids_in_the_queue,
    "systemd-units": structure.no_systemd_units,
    "tests-run": tests_run,
    "ci-blocks": ci_blocks,
    "commit-hooks": hooks_do_not_skip,
}
SCHEMA_CHECKS: Mapping[str, Callable[[Tree, schema.Schema], Iterator[Finding]]] = {
    "job-columns": schema.one_table_of_eight_columns,
    "job-statuses": schema.four_statuses,
}


@dataclass(frozen=True)
class Verdict:
    """`files` is the number of functional files, in which forbidden words were looked for."""

    files: int
    violations: tuple[Violation, ...]


def judge(root: Path, policy: Policy) -> Verdict:
    """Judge the tree at `root`.

    Raises:
        CannotJudge: the tree cannot be read, or its models cannot be imported.
    """
    demand_checks(policy)
    with ThreadPoolExecutor(max_workers=1) as background:
        reading = background.submit(schema.read_schema, root)
        tree = Tree(root)
        violations = judge_sources(tree, policy) | judge_schema(tree, policy, reading.result())
    return Verdict(len(tree.functional), tuple(sorted(violations)))


def judge_sources(tree: Tree, policy: Policy) -> set[Violation]:
    """All that can be seen in the files themselves."""
    violations: set[Violation] = set()
    for term in policy.terms:
        violations |= _under(term, find_terms(tree, term))
    requirements = tuple(declared(tree))
    for ban in policy.bans:
        violations |= _under(ban, find_banned(tree, ban, requirements))
    for rule in policy.rules:
        if check := SOURCE_CHECKS.get(rule.id):
            violations |= _under(rule, check(tree))
    _demand_known_extras(requirements, violations)
    return violations


def _demand_known_extras(requirements: Iterable[Declared], violations: set[Violation]) -> None:
    """An extra that cannot be looked into is no pass, unless its requirement is refused anyway."""
    refused = {(violation.path, violation.line) for violation in violations}
    for stated in requirements:
        if stated.unknown and (stated.path, stated.line) not in refused:
            raise CannotJudge(
                f"{stated.path}:{stated.line}: {stated.requirement} brings in what is not "
                f"installed here, so what that brings in is unknown: {', '.join(stated.unknown)}."
            )


def judge_schema(tree: Tree, policy: Policy, read: schema.Schema) -> set[Violation]:
    """What only the imported models tell."""
    violations: set[Violation] = set()
    for rule in policy.rules:
        if check := SCHEMA_CHECKS.get(rule.id):
            violations |= _under(rule, check(tree, read))
    return violations


def demand_checks(policy: Policy) -> None:
    """Insist that every rule of the policy has its check, and every check its rule."""
    ids = {rule.id for rule in policy.rules}
    if odd := ids ^ (SOURCE_CHECKS.keys() | SCHEMA_CHECKS.keys()):
        raise CannotJudge(f"A rule without a check, or a check without a rule: {sorted(odd)}.")


def _under(rule: Rule, findings: Iterable[Finding]) -> set[Violation]:
    reason = " ".join(rule.reason.split())
    return {
        Violation(found.path, found.line, rule.id, f"{found.what}: {reason}") for found in findings
    }
