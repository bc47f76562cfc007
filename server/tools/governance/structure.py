"""How the code must be laid out, judged on its syntax tree."""

import ast
import re
from collections.abc import Iterator

from tools.governance.findings import Finding
from tools.governance.literals import first_argument, text_of
from tools.governance.tree import Module, Tree

SERVER = "server"
APPLICATION = "server/app"
ROUTES = "server/app/api_routes/routes"
MISPLACED_ROUTES = "/api/routes/"
MODELS = "server/app/models"
MIGRATIONS = "server/app/migrations"
QUEUES = "server/app/services/queue"
BASE_MODULE = "server/app/core/database.py"

# The file, the methods and the path of every endpoint there may be.
ENDPOINTS = {
    f"{ROUTES}/job_submit.py": ({"post"}, "/video/submit"),
    f"{ROUTES}/job_status.py": ({"get", "head"}, "/video/status/{job_id}"),
    f"{ROUTES}/job_results.py": ({"get", "head"}, "/video/results/{job_id}"),
}
NO_ENDPOINT: tuple[set[str], str] = (set(), "")
HTTP_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})
ROUTE_DECORATORS = HTTP_METHODS | {"api_route", "route"}
ROUTE_ADDERS = frozenset({"add_api_route", "add_route"})
ROUTE_CLASSES = frozenset({"Route", "Mount", "APIRoute"})

# A decorator that is imported from elsewhere, such as mock.patch, only sounds like a route's.
FRAMEWORKS = ("fastapi.", "starlette.")
ROUTERS = ("app.", *FRAMEWORKS)

BASE_MAKERS = frozenset({"as_declarative", "automap_base", "declarative_base", "registry"})
BASE_CLASSES = frozenset({"DeclarativeBase", "DeclarativeBaseNoMeta", "DeclarativeMeta"})

QUEUE_METHODS = frozenset({"enqueue", "dequeue", "size"})

# What SQLAlchemy declares a schema with: the models need the columns, and nothing needs the rest.
COLUMN_MAKERS = frozenset({"Column", "mapped_column"})
SCHEMA_MAKERS = COLUMN_MAKERS | {
    "CreateTable",
    "ForeignKey",
    "ForeignKeyConstraint",
    "Index",
    "MetaData",
    "Sequence",
    "Table",
    "relationship",
}
SCHEMA_STATEMENT = re.compile(
    r"""
    \bcreate\s+(?:or\s+replace\s+|(?:temp\w*|global|local|unlogged)\s+)*
    (?:
        table\s+(?:if\s+not\s+exists\s+)?[\w."{}]+\s*(?:\(|as\s+(?:select|from|with|values)\b)
        | view\s+[\w."{}]+\s+as\b
        | (?:unique\s+)?index\s.*\bon\s
    )
    | \balter\s+table\s+(?:if\s+exists\s+)?[\w."{}]+\s+(?:add|alter|drop|rename)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


# Files of other programs end so, too; systemd's hold these sections.
UNIT_FILES = (".socket", ".timer", ".socket.in", ".timer.in")
UNIT_SECTION = re.compile(r"^\[(Unit|Socket|Timer|Install)\]", re.MULTILINE)


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
    for call, path in module.calls:
        if (name := _of_sqlalchemy(path)) in BASE_MAKERS:
            yield call.lineno, name
    for node in module.nodes:
        match node:
            case ast.ClassDef(bases=bases, keywords=keywords):
                for parent in (*bases, *(keyword.value for keyword in keywords)):
                    name = _of_sqlalchemy(module.names.resolve(parent) or "")
                    if name in BASE_CLASSES:
                        yield node.lineno, name


def _of_sqlalchemy(path: str) -> str:
    """The last part of a dotted path that leads into SQLAlchemy."""
    return path.rpartition(".")[2] if path.startswith("sqlalchemy.") else ""


def schema_by_migration(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under(["server"])):
        for node in module.nodes:
            match node:
                case ast.Attribute(attr="create_all"):
                    yield Finding(module.path, node.lineno, f"create_all{module.note}")
                case ast.Attribute(attr="create", value=ast.Attribute(attr="__table__")):
                    yield Finding(module.path, node.lineno, f"__table__.create{module.note}")
        if not module.path.startswith(f"{MIGRATIONS}/"):
            yield from _schema_statements(module)
            yield from _schema_makers(module)


def _schema_statements(module: Module) -> Iterator[Finding]:
    for node, text in module.used_strings:
        if match := SCHEMA_STATEMENT.search(text):
            statement = " ".join(match.group().split()[:3])
            yield Finding(module.path, node.lineno, f"{statement}…{module.note}")


def _schema_makers(module: Module) -> Iterator[Finding]:
    allowed = COLUMN_MAKERS if module.path.startswith(f"{MODELS}/") else frozenset()
    for call, path in module.calls:
        name = _of_sqlalchemy(path)
        if name in SCHEMA_MAKERS - allowed:
            yield Finding(module.path, call.lineno, f"{name} declares a schema{module.note}")


def routes_in_their_folder(tree: Tree) -> Iterator[Finding]:
    for path in tree.under([SERVER]):
        if MISPLACED_ROUTES in path:
            yield Finding(path, 1, "a folder for other routes")
    for module in tree.modules(tree.under([SERVER])):
        if not module.path.startswith(f"{ROUTES}/"):
            for line, what, _ in _routes(module):
                yield Finding(module.path, line, f"{what} outside {ROUTES}/")


def three_endpoints(tree: Tree) -> Iterator[Finding]:
    for module in tree.modules(tree.under([ROUTES])):
        allowed, its_path = ENDPOINTS.get(module.path, NO_ENDPOINT)
        left = set(allowed)
        for line, kind, path in _routes(module):
            if kind in left and path == its_path:
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
                    if isinstance(decorator, ast.Call) and _decorates_a_route(module, decorator):
                        yield decorator.lineno, _kind(decorator.func), _path_argument(decorator)
            case ast.Call(func=ast.Call() as decorator) if _decorates_a_route(module, decorator):
                yield node.lineno, _kind(decorator.func), _path_argument(decorator)
            case ast.Call(func=ast.Attribute(attr="mount"), args=[_, _, *_]):
                yield node.lineno, "mount", _path_argument(node)
            case ast.Attribute(attr=kind) if kind in ROUTE_ADDERS:
                yield node.lineno, kind, ""
    for call, path in module.calls:
        kind = path.rpartition(".")[2]
        if kind in ROUTE_CLASSES and path.startswith(FRAMEWORKS):
            yield call.lineno, kind, _path_argument(call)


def _decorates_a_route(module: Module, decorator: ast.Call) -> bool:
    """By its name, or by a path as its argument; what names no path and no router does not."""
    path = text_of(first_argument(decorator, "path"))
    if path and path.startswith(("/", "{}")):
        return True
    if path or _kind(decorator.func) not in ROUTE_DECORATORS:
        return False
    imported = module.names.resolve(decorator.func)
    return imported is None or imported.startswith(ROUTERS)


def _kind(function: ast.expr) -> str:
    """The last part of a function's name."""
    return ast.unparse(function).rpartition(".")[2]


def _path_argument(call: ast.Call) -> str:
    return text_of(first_argument(call, "path")) or ""


def no_systemd_units(tree: Tree) -> Iterator[Finding]:
    for path in tree.paths:
        if path.endswith(UNIT_FILES) and (match := UNIT_SECTION.search(tree.text(path))):
            line = tree.text(path).count("\n", 0, match.start()) + 1
            yield Finding(path, line, match.group())


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
