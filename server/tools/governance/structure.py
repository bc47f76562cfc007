"""How the code must be laid out, judged on its syntax tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tools.governance.findings import Finding
from tools.governance.tree import Module, Tree

APPLICATION = "server/app"
ROUTES = "server/app/api_routes/routes"
MIGRATIONS = "server/app/migrations"
QUEUES = "server/app/services/queue"
BASE_MODULE = "server/app/core/database.py"

# The file, the methods and the end of the path of every endpoint there may be.
ENDPOINTS = {
    "job_submit.py": ({"post"}, "/submit"),
    "job_status.py": ({"get", "head"}, "/status/{job_id}"),
    "job_results.py": ({"get", "head"}, "/results/{job_id}"),
}
NO_ENDPOINT: tuple[set[str], str] = (set(), "")
HTTP_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})
ROUTE_DECORATORS = HTTP_METHODS | {"api_route", "route"}
ROUTE_ADDERS = frozenset({"add_api_route", "add_route", "mount"})
ROUTE_CLASSES = frozenset({"Route", "Mount", "APIRoute"})

BASE_MAKERS = frozenset({"declarative_base", "automap_base", "registry"})
BASE_CLASSES = frozenset({"DeclarativeBase", "DeclarativeBaseNoMeta", "DeclarativeMeta"})

QUEUE_METHODS = frozenset({"enqueue", "dequeue", "size"})
TABLE_STATEMENT = re.compile(r"\s*(create|alter)\s+(or\s+replace\s+|temp\w*\s+)*table\b", re.I)


def one_shared_base(tree: Tree) -> Iterator[Finding]:
    made = 0
    for module in tree.modules(tree.under(["server"])):
        for line, name in _bases(module):
            if module.path == BASE_MODULE and name == "declarative_base":
                made += 1
                if made == 1:
                    continue
            yield Finding(module.path, line, f"{name} makes another declarative base{module.note}")
    if made == 0:
        yield Finding(BASE_MODULE, 1, "no call of declarative_base")


def _bases(module: Module) -> Iterator[tuple[int, str]]:
    """The line and SQLAlchemy's name of everything that makes a declarative base."""
    for node in module.nodes:
        match node:
            case ast.Call(func=function):
                name = _of_sqlalchemy(module, function)
                if name in BASE_MAKERS:
                    yield node.lineno, name
            case ast.ClassDef(bases=bases, keywords=keywords):
                for parent in (*bases, *(keyword.value for keyword in keywords)):
                    name = _of_sqlalchemy(module, parent)
                    if name in BASE_CLASSES:
                        yield node.lineno, name


def _of_sqlalchemy(module: Module, node: ast.expr) -> str:
    path = module.names.resolve(node) or ""
    return path.rpartition(".")[2] if path.startswith("sqlalchemy.") else ""


def schema_by_migration(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under(["server"])):
        for node in module.nodes:
            match node:
                case ast.Attribute(attr="create_all"):
                    yield Finding(module.path, node.lineno, f"create_all{module.note}")
                case ast.Attribute(attr="create", value=ast.Attribute(attr="__table__")):
                    yield Finding(module.path, node.lineno, f"__table__.create{module.note}")
                case ast.Constant(value=str(text)) if TABLE_STATEMENT.match(text):
                    if not module.path.startswith(f"{MIGRATIONS}/"):
                        statement = " ".join(text.split()[:3])
                        yield Finding(module.path, node.lineno, f"{statement}…{module.note}")


def routes_in_their_folder(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under([APPLICATION])):
        if not module.path.startswith(f"{ROUTES}/"):
            for line, what, _ in _routes(module):
                yield Finding(module.path, line, f"{what} outside {ROUTES}/")


def three_endpoints(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under([ROUTES])):
        allowed, ending = ENDPOINTS.get(PurePosixPath(module.path).name, NO_ENDPOINT)
        left = set(allowed)
        for line, kind, path in _routes(module):
            if kind in left and path.endswith(ending):
                left.remove(kind)
            else:
                yield Finding(module.path, line, f"{kind} {path}".rstrip())


def _routes(module: Module) -> Iterator[tuple[int, str, str]]:
    """The line, the kind and, where it is written out, the path of every route."""
    for node in module.nodes:
        match node:
            case (
                ast.FunctionDef(decorator_list=decorators)
                | ast.AsyncFunctionDef(decorator_list=decorators)
            ):
                for decorator in decorators:
                    match decorator:
                        case ast.Call(func=ast.Attribute(attr=kind)) if kind in ROUTE_DECORATORS:
                            yield decorator.lineno, kind, _path_argument(decorator)
            case ast.Call(func=ast.Attribute(attr=kind)) if kind in ROUTE_ADDERS:
                yield node.lineno, kind, _path_argument(node)
            case ast.Call(func=function):
                kind = (module.names.resolve(function) or "").rpartition(".")[2]
                if kind in ROUTE_CLASSES:
                    yield node.lineno, kind, _path_argument(node)


def _path_argument(call: ast.Call) -> str:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "path"]
    match [*call.args, *named]:
        case [ast.Constant(value=str(path)), *_]:
            return path
    return ""


def only_ids_in_the_queue(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under([APPLICATION])):
        in_queues = module.path.startswith(f"{QUEUES}/")
        for node in module.nodes:
            match node:
                case ast.ClassDef(body=body) if in_queues:
                    yield from _queue_methods(module, body)
                case ast.Call(func=ast.Attribute(attr="enqueue")) if not _is_one_id(node):
                    yield Finding(module.path, node.lineno, "enqueue is given more than one id")


def _queue_methods(module: Module, body: list[ast.stmt]) -> Iterator[Finding]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("_") and node.name not in QUEUE_METHODS:
            yield Finding(module.path, node.lineno, f"a queue's method {node.name}")
        if node.name == "enqueue" and not _takes_one_id(node.args):
            yield Finding(module.path, node.lineno, "enqueue takes more than job_id")


def _takes_one_id(arguments: ast.arguments) -> bool:
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return [argument.arg for argument in named] == ["self", "job_id"] and not (
        arguments.vararg or arguments.kwarg
    )


def _is_one_id(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    composite = (ast.Dict, ast.List, ast.Set, ast.Tuple, ast.Starred, ast.JoinedStr)
    return len(given) == 1 and not isinstance(given[0], composite)
