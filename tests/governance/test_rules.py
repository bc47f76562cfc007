"""Every rule by mutation: what breaks it is caught, what only looks alike passes."""

import pytest

from tests.governance.conftest import DATABASE, Judge, changed
from tools.validate_phase16_path import RULES, expression_of, load_rules

POLICY = load_rules(RULES)
TERMS = {term.id: expression_of(term) for term in POLICY.terms}

WORDS = {
    "websocket": "websocket WebSocketRoute web_socket WEB-SOCKETS fastapiwebsocket onWebsocketClose"
    "|a web socket",
    "streaming": "streaming StreamingResponse VIDEO_STREAMING isStreaming HTTPStreaming2"
    " livestreaming videostreaming",
    "gpu_schedule": "gpu_schedule GPUScheduler gpuScheduling gpu-scheduled schedule_gpu"
    " schedulesGpus GpuTaskScheduler gpu_job_scheduler|scheduling of GPUs",
    "distributed": "distributed DistributedLock is_distributed torch.distributed geodistributed"
    " DISTRIBUTED-WORKERS",
    "gpu_worker": "gpu_worker gpuWorker GPUWorkers multi-gpu-worker app.gpu.worker worker_gpu"
    "|GPU workers",
    "sse": "sse SSE sse_starlette SSEClient useSse EventSourceResponse event_source_response"
    " ServerSentEvent text/event-stream EventStream sseclient ssehandler|server-sent events",
    "real_time": "real_time REAL_TIME real-time realTime realtime RealTimeFeed realtime2 real__time"
    " nearrealtime real\u2212time real\u00adtime real\u200btime|real\u00a0time|in real time"
    "|in real\ntime|# in real\n  # time"
    '|"in real "\n    "time"|"in real\\n",\n    "time|"\\nreal-time"',
}
LOOK_ALIKES = """
web socket; sockets webSite socketserver webhook stream streamed upstream StreamReader bitstream
mainstreaming gpu schedule rescheduled gpu_memory; distribute distribution DistributeData
redistributed worker; gpu worker_runner cpu_worker gpu_works WorkerError assert ASSERTED processes
PROCESSED classes passed possess assets dossier sse4 SSE4_2 ssse3 rmsse sessEvent dissent
posseClient event EventSourcing real time; timer real_timestamp realTimeout surreal_time
real_path_time unrealtime no gpu. Scheduled
""".replace("web socket;", "web; socket;").replace("real time;", "real; time;")

APP = "server/app/services"
P = "("  # apart from the names before it, so that this file passes, too
NOTEBOOK = '{"cells": [], "metadata": {"image/png": "/sse/"}, "nbformat": 4, "nbformat_minor": 5}'
CELL = """{"cell_type": "code", "source": ["import redis"], "outputs": [], "metadata": {},
"execution_count": null}"""
TABLE = "CREATE TABLE IF NOT EXISTS {name} (result_id UUID)"
ROUTE = '@app.get("/video/list")\nasync def videos(): ...\n'

# The rule, the file that breaks it, and what stands in there.
BROKEN = [
    ("push-transport", f"{APP}/a1.py", "import wsproto"),
    ("push-transport", "tests/a2.py", "from fastapi import WebSocket  # noqa: TID251"),
    ("addresses", "server/forgesyte_client/a3.py", 'FEED = "ws://localhost/feed"'),
    ("cluster", f"{APP}/b2.py", f'import importlib\nimportlib.import_module{P}"kazoo.client")'),
    ("worker-pools", f"{APP}/c2.py", "import concurrent.futures as f\nf.ProcessPoolExecutor()"),
    ("orchestration", f"{APP}/d.py", "from prefect import flow"),
    ("external-queue", f"{APP}/e1.py", "def f():\n    from celery import Celery\n    Celery()"),
    ("external-queue", "server/e2.ipynb", NOTEBOOK.replace("[]", f"[{CELL}]")),
    ("addresses", f"{APP}/e3.py", 'BROKER = f"amqp://{1}"'),
    ("priority-queue", f"{APP}/f.py", "import asyncio\nasyncio.PriorityQueue()"),
    ("queue-payload", f"{APP}/g1.py", "class Q:\n    def enqueue(self, job_id: str, x: int): ..."),
    ("queue-payload", f"{APP}/g2.py", 'def f(queue): queue.enqueue({"job_id": 1})'),
    ("cloud-storage", f"{APP}/h1.py", "from google.cloud import storage"),
    ("addresses", f"{APP}/h2.py", 'STATEMENT = "INSTALL httpfs"'),
    ("addresses", "server/app/h3.toml", 'bucket = "s3://videos"'),
    ("access-control", f"{APP}/i.py", "import fastapi\n\nguard = fastapi.Security(lambda: None)"),
    ("requirement-places", "setup.py", "pass"),
    ("containers", "Dockerfile-dev", "FROM python"),
    ("containers", "deploy/forgesyte.service", "[Service]"),
    ("containers", "deploy/sweep.timer", "# nightly\n[Timer]"),
    ("monitoring", "deploy/prometheus.yml", "scrape_configs: []"),
    ("async-database", f"{APP}/k.py", "from sqlalchemy.ext import asyncio as sa\nsa.AsyncSession"),
    ("other-database", "tests/l1.py", "import sqlite3"),
    ("other-database", f"{APP}/l2.py", "import psycopg2.extras"),
    ("addresses", f"{APP}/l3.py", 'def url(x): return f"sqlite+pysqlite:///{x}"'),
    ("addresses", f"{APP}/l4.py", 'ATTACH = "ATTACH \'jobs.db\' AS old (TYPE sqlite)"'),
    ("engines", "tests/l5.py", 'create_engine(\n    url=f"sqlite:///{__file__}.db")'),
    ("engines", "tests/l6.py", f'URL.create{P}"sqlite")'),
    ("shared-base", f"{APP}/m1.py", "from sqlalchemy.orm import declarative_base as make"),
    ("shared-base", f"{APP}/m2.py", "from sqlalchemy import orm\nBase = orm.DeclarativeBase"),
    ("schema-by-migration", f"{APP}/n1.py", "Base.metadata.create_all(engine)"),
    ("schema-by-migration", f"{APP}/n3.py", f'def f(name):\n    return f"""\n{TABLE}\n"""'),
    ("schema-by-migration", f"{APP}/n4.py", 'S = "ALTER TABLE jobs ADD COLUMN progress FLOAT"'),
    ("schema-in-models", f"{APP}/n5.py", "from sqlalchemy.orm import mapped_column"),
    ("one-table", "server/app/models/n6.py", "import sqlalchemy as sa\nT = sa.Table('x')"),
    ("one-table", "server/app/models/n7.py", "from sqlalchemy import Index"),
    ("route-placement", f"{APP}/o1.py", "from fastapi import APIRouter"),
    ("route-placement", "server/tools/o2.py", ROUTE),
    ("route-placement", f"{APP}/o4.py", 'get = app.get\n@get("/video/list")\ndef f(): ...'),
    ("route-placement", f"{APP}/o5.py", "add = router.add_api_route"),
    ("route-placement", "server/app/api/routes/o6.py", "pass"),
    ("phase-names", "server/app/workers/phase16_worker.py", "pass"),
    ("governance-documents", "server/app/GOVERNANCE.md", "# Rules"),
    ("governance-documents", "server/tools/Rollback_Plan.md", "# Plan"),
    ("switched-off-tests", "tests/q1.py", "import pytest\n@pytest.mark.skip\ndef test_a(): ..."),
    ("switched-off-tests", "tests/q3.py", f"import pytest\npytest.mark.skipif{P}True)"),
    ("commit-hooks", ".ci/commit.sh", "git commit -anm x"),
    ("commit-hooks", ".pre-commit-config.yaml", "- {id: x, entry: alembic check}"),
    ("real_time", "server/app/real_time.py", "pass"),
    ("real_time", "server/app/build/planted.py", "real_time = 1"),
]  # fmt: skip

PASSES = {
    f"{APP}/a.py": 'import queue\nfrom . import dask\nfrom app.services import ray\n"redis"',
    f"{APP}/b.py": '"""Unlike sqlite:///jobs.db it is locked; create_all() is never called."""',
    f"{APP}/c.py": "# not sqlite:///x, nor Base.metadata.create_all\nfrom sqlalchemy import Uuid",
    f"{APP}/d.py": "def f(queue, job_id): queue.enqueue(job_id)",
    f"{APP}/e.py": 'def f(answers): return answers.get("/video/list")',
    f"{APP}/f.py": '@mock.patch("app.main")\n@cache.get("key")\ndef f(): disk.mount("/mnt")',
    f"{APP}/g.py": 'HELP = "Create a table of results"\nDRAWS3 = "draws3://no-scheme"',
    f"{APP}/helm/dockerfiles.py": '"""About no container."""',
    "server/app/models/a.py": "from sqlalchemy.orm import mapped_column",
    "server/app/api_routes/routes/a.py": f"from fastapi import APIRouter\n{ROUTE}",
    "server/app/logo.png": "\0real-time",
    "server/app/a.ipynb": NOTEBOOK,
    "tests/a.py": 'import multiprocessing\nBad = "sqlite:///jobs.db"\nBase.metadata.create_all(e)',
    "tests/b.py": '@pytest.mark.skipif(which("strace") is None)\ndef test_a(): ...',
    ".ampcode/04_PHASE_NOTES/Phase_16/GOVERNANCE.md": "# Real-time",
    ".venv/x.py": "import redis",
    "env/pyvenv.cfg": "",
    "env/lib/x.py": "import redis",
}
LICENCES = dict.fromkeys(
    ["LICENSE", "NOTICE", "licenses/model.txt"],
    "Software distributed under the License is distributed on an AS IS basis.",
)


def test_this_scope_is_that_of_the_stories() -> None:
    assert [*TERMS] == [*WORDS]
    ids = [rule.id for rule in (*POLICY.terms, *POLICY.bans)]
    assert len(ids) == len({*ids})
    governed = {number for rule in (*POLICY.terms, *POLICY.bans) for number in rule.governs}
    assert governed | {*POLICY.elsewhere} == {f"G{number}" for number in range(1, 26)}
    tried = {rule for rule, *_ in (*BROKEN, *CHANGES)}
    assert {ban.id for ban in POLICY.bans} <= tried
    modules = [name for ban in POLICY.bans for name in ban.modules]
    assert len(modules) == len({*modules})


@pytest.mark.parametrize("term", WORDS)
def test_a_word_is_caught_in_every_spelling(term: str) -> None:
    simple, *others = WORDS[term].split("|")
    for word in (*simple.split(), *others):
        assert TERMS[term].search(word), word
    for style in ("{}", "{}_x", "x_{}", "X-{}-X", "my {}.", "{}2"):
        numbered = "2" in style and term == "sse"
        assert bool(TERMS[term].search(style.format(term))) is not numbered
        assert bool(TERMS[term].search(style.format(term).upper())) is not numbered


def test_words_that_look_alike_pass() -> None:
    for term, expression in TERMS.items():
        assert not expression.search(LOOK_ALIKES.replace(" ", ";\n")), term


def test_what_breaks_a_rule_is_caught(judged: Judge) -> None:
    assert judged({path: f"{text}\n" for _, path, text in BROKEN}) == {
        (rule, path) for rule, path, _ in BROKEN
    }


def test_what_looks_alike_passes_and_licences_have_a_place(judged: Judge) -> None:
    assert judged(PASSES | LICENCES) == set()


BASE = "Base = declarative_base()"
RECIPE = "\t$(BIN)/python server/tools/validate_phase16_path.py"
CHANGES = [
    ("real_time", "pyproject.toml", "[project]", "# real-time\n[project]"),
    ("addresses", "alembic.ini", "duckdb:///", "sqlite:///"),
    ("one-base", DATABASE, BASE, "Base = object"),
    ("one-base", DATABASE, BASE, f"{BASE}\nOther{BASE}"),
    ("checks-run", "Makefile", RECIPE, RECIPE.replace("$", "-$")),
    ("checks-run", "Makefile", RECIPE, f"{RECIPE} || true"),
    ("checks-run", "Makefile", RECIPE, f"{RECIPE} --root elsewhere"),
    ("checks-run", "Makefile", " governance format", " format"),
    ("checks-run", "Makefile", "/pytest $(SIDE_BY_SIDE)\n", "/pytest $(SIDE_BY_SIDE) || true\n"),
    ("landing-runs", ".ci/run", "make smoke", "make smoke || true"),
    ("landing-runs", ".ci/run", "make test", "make faults"),
    ("landing-runs", ".ci/run", "set -euo pipefail", "set -u"),
]


@pytest.mark.parametrize(("rule", "path", "old", "new"), CHANGES)
def test_a_change_that_breaks_a_rule_is_caught(
    judged: Judge, rule: str, path: str, old: str, new: str
) -> None:
    assert judged(changed(path, old, new)) == {(rule, path)}


def test_ordinary_maintenance_passes(judged: Judge) -> None:
    steps = "  test:\n    needs: governance\n    env: {TZ: UTC}\n"
    ordinary = {
        "uv.lock": '[[package]]\nname = "uvicorn"\n',
        "requirements/lock.txt": "uvicorn==0.60 --hash=sha256:0123\n",
        ".pre-commit-config.yaml": "repos:\n  - {repo: x, rev: v1, hooks: [{id: ruff}]}\n",
        "server/app/services/README.md": "# Services\n",
        **changed("pyproject.toml", 'addopts = "', 'addopts = "-n auto --cov=app '),
        **changed(".github/workflows/phase16_validation.yml", "  test:\n", steps),
        **changed("Makefile", "BIN :=", "JOBS ?= 2\nBIN :="),
    }
    assert judged(ordinary) == set()
