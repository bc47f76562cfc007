"""The command line as people and scripts use it: in a terminal, through pipes, by exit code."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points, version
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.cli.commands import main
from app.cli.display import Display
from app.cli.exit_codes import ExitCode
from forgesyte_client import Done, JobStatus, Step
from tests.cli.running import COMMAND, ForgeSyte
from tests.client.stub import answering, serving, silent_after_everything
from tests.fixtures.make_tiny_mp4 import CODE, FRAME_COUNT, TEXT, TINY_MP4
from tests.support.client import results, status, submit, wait_for, wait_until
from tests.support.pipelines import write_pipeline_package
from tests.support.server import ServerProcess
from tools.local_server import AppProcess, free_port

InProcess = Callable[..., tuple[int, str, str]]


@pytest.fixture
def not_a_video(tmp_path: Path) -> Path:
    path = tmp_path / "notes.mp4"
    path.write_text("These are notes.\n" * 10)
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.mp4"
    path.write_bytes(TINY_MP4.read_bytes()[:-2000])
    return path


@pytest.fixture
def in_process(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> InProcess:
    """The command without a process of its own: its exit code, and what it says."""
    monkeypatch.setenv("FORGESYTE_URL", server.base_url)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forgesyte", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return end.value.code, *capsys.readouterr()

    return run


def test_submit_prints_the_id_alone(forgesyte: ForgeSyte, server: ServerProcess) -> None:
    ended = forgesyte("submit", TINY_MP4, "--pipeline", "nothing")
    assert (ended.returncode, ended.stderr) == (0, "")
    job_id = ended.stdout.removesuffix("\n")
    assert wait_for(server.base_url, job_id, 60)["status"] == "completed"


def test_submit_prints_the_id_of_each_of_several(in_process: InProcess, tmp_path: Path) -> None:
    copy = tmp_path / "a copy.mp4"
    copy.write_bytes(TINY_MP4.read_bytes())
    _, printed, _ = in_process("submit", TINY_MP4, copy, "-p", "nothing")
    lines = [line.split("\t") for line in printed.splitlines()]
    assert sorted(name for _, name in lines) == sorted([str(TINY_MP4), str(copy)])
    assert all(UUID(job_id) for job_id, _ in lines)


def test_submit_and_wait_through_a_pipe_is_a_line_for_each_finding(forgesyte: ForgeSyte) -> None:
    ended = forgesyte("submit", TINY_MP4, "-p", "ocr", "--wait")
    assert (ended.returncode, ended.stderr) == (0, "")
    job_id, *values = ended.stdout.removesuffix("\n").split("\t")
    assert UUID(job_id)
    assert values == ["completed", str(TINY_MP4), f"0-{FRAME_COUNT - 1}", TEXT]


def test_submit_as_json(in_process: InProcess, server: ServerProcess) -> None:
    _, printed, _ = in_process("submit", TINY_MP4, "-p", "barcodes", "--wait", "--json")
    line = json.loads(printed)
    assert line == {"file": str(TINY_MP4)} | results(server.base_url, line["job_id"])
    assert line["results"][0]["result"]["barcodes"][0]["text"] == CODE

    _, printed, _ = in_process("submit", TINY_MP4, "-p", "barcodes", "--json")
    assert json.loads(printed).keys() == {"file", "job_id"}


def test_one_bad_file_does_not_stop_the_others(
    in_process: InProcess, not_a_video: Path, broken: Path
) -> None:
    files = [TINY_MP4, not_a_video, broken]
    code, printed, complaints = in_process("submit", *files, "-p", "nothing", "--wait")
    assert code == 4
    assert f"completed\t{TINY_MP4}" in printed
    about_broken, about_notes = sorted(complaints.splitlines())
    assert re.fullmatch(rf"{broken}: Job .* has failed: .*truncated.*", about_broken)
    assert re.fullmatch(rf"{not_a_video}: .*MP4.*", about_notes)

    _, printed, complaints = in_process("submit", *files, "-p", "nothing", "--wait", "--json")
    lines = {line["file"]: line for line in map(json.loads, printed.splitlines())}
    assert "error" not in lines[str(TINY_MP4)]
    assert "MP4" in lines[str(not_a_video)]["error"]
    assert "truncated" in lines[str(broken)]["error"]
    assert complaints == ""


CLEAR_SCREEN = "\x1b[2J"
RUDE_PIPELINE = f"""
def factory():
    return lambda payload: {{"found": [{{"text": {CLEAR_SCREEN + chr(9) + "cleared"!r}}}]}}
"""


def test_what_stands_in_a_video_does_not_command_the_terminal(tmp_path: Path) -> None:
    video = tmp_path / f"{CLEAR_SCREEN}.mp4"
    video.write_bytes(TINY_MP4.read_bytes())
    package = write_pipeline_package(tmp_path / "package", {"rude": RUDE_PIPELINE})
    with ServerProcess(tmp_path / "data", plugins=[package]) as server:
        forgesyte = ForgeSyte(tmp_path, os.environ | {"FORGESYTE_URL": server.base_url})
        arguments = ("submit", video.name, "-p", "rude", "--wait")
        with forgesyte.in_terminal(*arguments) as terminal:
            assert terminal.wait() == 0
        piped = forgesyte(*arguments).stdout
    for shown in (terminal.shown, piped):
        assert CLEAR_SCREEN not in shown
        assert "completed" in shown
        assert r"\x1b[2J.mp4" in shown
        assert r"\x1b[2J\tcleared" in shown
    assert len(piped.split("\t")) == 5


def test_a_name_that_is_not_unicode_can_be_submitted(forgesyte: ForgeSyte, tmp_path: Path) -> None:
    for name in (b"caf\xe9.mp4", "café.mp4".encode()):
        (tmp_path / os.fsdecode(name)).write_bytes(TINY_MP4.read_bytes())
    strict = ForgeSyte(tmp_path, forgesyte.env | {"PYTHONIOENCODING": "ascii:strict"})
    names = [path.name for path in tmp_path.iterdir()]
    ended = strict("submit", *names, "-p", "nothing")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 2
    assert r"caf\udce9.mp4" in ended.stdout
    ended = strict("submit", *names, "-p", "nothing", "--json")
    assert {json.loads(line)["file"] for line in ended.stdout.splitlines()} == set(names)


def test_status(in_process: InProcess, server: ServerProcess) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    answer = wait_for(server.base_url, job_id, 60)
    assert json.loads(in_process("status", job_id, "--json")[1]) == answer
    lines = dict(line.split(maxsplit=1) for line in in_process("status", job_id)[1].splitlines())
    assert lines == {name: str(value) for name, value in answer.items()}


def test_results_through_a_pipe_are_the_server_s_own(
    forgesyte: ForgeSyte, server: ServerProcess
) -> None:
    job_id = submit(server.base_url, TINY_MP4, "barcodes")
    ended = forgesyte("results", job_id, "--wait")
    assert json.loads(ended.stdout) == results(server.base_url, job_id)
    assert ended.stderr == ""


def test_results_into_a_file(forgesyte: ForgeSyte, server: ServerProcess, tmp_path: Path) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    ended = forgesyte("results", job_id, "-o", "results.json")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert json.loads((tmp_path / "results.json").read_text()) == results(server.base_url, job_id)

    assert forgesyte("results", uuid4().hex, "-o", "other.json").returncode == 5
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_results_into_a_pipe_or_through_a_link(
    in_process: InProcess, server: ServerProcess, tmp_path: Path
) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    pipe, link, aim = tmp_path / "pipe", tmp_path / "link", tmp_path / "aim"
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDWR), "rb") as reader:
        assert in_process("results", job_id, "-o", pipe)[0] == 0
        written = os.read(reader.fileno(), 1 << 16)
    assert json.loads(written) == results(server.base_url, job_id)

    link.symlink_to(aim)
    aim.write_text("old")
    assert in_process("results", str(uuid4()), "-o", link)[0] == 5
    assert aim.read_text() == "old"
    assert in_process("results", job_id, "-o", link)[0] == 0
    assert link.is_symlink()
    assert aim.read_bytes() == written


def test_results_over_a_file_leave_what_is_beside_it(
    in_process: InProcess, server: ServerProcess, tmp_path: Path
) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    output, beside = tmp_path / "results.json", tmp_path / "results.json.part"
    output.write_text("old")
    output.chmod(0o640)
    beside.write_text("mine")
    assert in_process("results", job_id, "-o", output)[0] == 0
    assert json.loads(output.read_text()) == results(server.base_url, job_id)
    assert output.stat().st_mode & 0o777 == 0o640
    assert beside.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_results_into_a_reader_that_leaves(forgesyte: ForgeSyte, server: ServerProcess) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    with subprocess.Popen(
        [COMMAND, "results", job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=forgesyte.env,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert "Traceback" not in command.stderr.read()
    assert command.returncode == 1


def test_submits_into_a_reader_that_leaves(forgesyte: ForgeSyte) -> None:
    arguments = ["submit", *[str(TINY_MP4)] * 3, "-p", "sleep", "--wait"]
    with subprocess.Popen(
        [COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=forgesyte.env,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert "completed" in command.stdout.readline()
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 1


def test_exit_codes(in_process: InProcess, not_a_video: Path, broken: Path) -> None:
    calls: dict[tuple[str | Path, ...], int] = {
        ("submit", broken, "-p", "nothing", "--wait"): 1,
        ("submit", "missing.mp4", "-p", "nothing"): 2,
        ("submit", TINY_MP4): 2,
        ("submit", TINY_MP4, "-p", "nothing", "--timeout", "1"): 2,
        ("status", str(uuid4()), "--url", "http://localhost:notaport"): 2,
        ("status", str(uuid4()), "--url", f"http://127.0.0.1:{free_port()}"): 3,
        ("submit", not_a_video, "-p", "nothing"): 4,
        ("submit", TINY_MP4, "-p", "missing"): 4,
        ("status", "1"): 4,
        ("status", str(uuid4())): 5,
        ("results", str(uuid4())): 5,
        ("submit", TINY_MP4, "-p", "sleep", "--wait", "--timeout", "0.1"): 6,
    }
    for arguments, expected in calls.items():
        code, _, complaint = in_process(*arguments)
        assert (arguments, code) == (arguments, expected)
        assert complaint != ""
        assert "Traceback" not in complaint


def test_an_unknown_outcome_has_an_exit_code_of_its_own(forgesyte: ForgeSyte) -> None:
    async def submit_in_vain() -> subprocess.CompletedProcess[str]:
        async with serving(silent_after_everything) as stub:
            arguments = ("submit", TINY_MP4, "-p", "nothing", "--url", stub.url)
            return await asyncio.to_thread(forgesyte, *arguments)

    ended = asyncio.run(submit_in_vain())
    assert ended.returncode == 7
    assert "may have become a job" in ended.stderr


def test_a_timeout_of_nothing_asks_once(in_process: InProcess, server: ServerProcess) -> None:
    job_id = submit(server.base_url, TINY_MP4, "sleep")
    at_once = ("results", job_id, "--wait", "--timeout", "0")
    assert in_process(*at_once)[0] == 6
    wait_for(server.base_url, job_id, 60)
    code, printed, complaint = in_process(*at_once)
    assert (code, complaint) == (0, "")
    assert json.loads(printed) == results(server.base_url, job_id)


def test_a_terminal_shows_progress_and_then_a_table(forgesyte: ForgeSyte) -> None:
    with forgesyte.in_terminal("submit", TINY_MP4, "-p", "sleep", "--wait") as terminal:
        terminal.read_until("running")
        assert terminal.wait() == 0
    assert "tiny.mp4" in terminal.shown
    assert "completed" in terminal.shown
    assert re.search(r"│ 0-9 +│ \{\"slept\": 0\.1\} +│", terminal.shown)


@pytest.mark.parametrize("options", [[], ["--wait"]], ids=["submit", "wait"])
def test_nothing_that_is_printed_beside_bars_is_overwritten(
    forgesyte: ForgeSyte, tmp_path: Path, not_a_video: Path, options: list[str]
) -> None:
    names = [f"{letter}.mp4" for letter in "abcd"]
    for name in names:
        (tmp_path / name).write_bytes(TINY_MP4.read_bytes())
    arguments = ["submit", *names, not_a_video.name, "-p", "sleep", *options]
    with forgesyte.in_terminal(*arguments) as terminal:
        assert terminal.wait() == 4
    (complaint,) = [line for line in terminal.lines() if "notes.mp4: " in line]
    assert "not an MP4" in complaint
    tellings = [line.split() for line in terminal.lines() if line.endswith(".mp4")]
    assert sorted(words[-1] for words in tellings) == names
    assert len({UUID(words[0]) for words in tellings}) == len(names)
    tables = [line for line in terminal.lines() if '{"slept": 0.1}' in line]
    assert len(tables) == (len(names) if options else 0)
    assert not [line for line in terminal.lines() if re.match(r"\S+ ━", line)]


WAIT_FOR_JSON = ("submit", TINY_MP4, "-p", "sleep", "--wait", "--json")


def test_the_bars_go_to_the_terminal_and_the_ids_into_the_file(
    forgesyte: ForgeSyte, tmp_path: Path
) -> None:
    with (
        (tmp_path / "results.jsonl").open("w+") as file,
        forgesyte.in_terminal(*WAIT_FOR_JSON, stdout=file.fileno()) as terminal,
    ):
        assert terminal.wait() == 0
        file.seek(0)
        line = json.loads(file.read())
    assert len(line["results"]) == FRAME_COUNT
    assert "running" in terminal.shown
    assert line["job_id"] not in terminal.shown


def test_what_reads_a_pipe_has_the_terminal_for_itself(forgesyte: ForgeSyte) -> None:
    reading, writing = os.pipe()
    with open(reading) as pipe:
        with forgesyte.in_terminal(*WAIT_FOR_JSON, stdout=writing) as terminal:
            os.close(writing)
            assert terminal.wait() == 0
        assert len(json.loads(pipe.read())["results"]) == FRAME_COUNT
    assert terminal.shown == ""


def test_ctrl_c_tells_which_jobs_go_on(forgesyte: ForgeSyte, server: ServerProcess) -> None:
    with forgesyte.in_terminal("submit", TINY_MP4, "-p", "sleep", "--wait") as terminal:
        terminal.read_until("running")
        terminal.press_ctrl_c()
        assert terminal.wait() == 130
    found = re.search(r"job (\S+) goes on", terminal.shown)
    assert found, terminal.shown
    assert wait_for(server.base_url, found[1], 60)["status"] == "completed"
    assert "Traceback" not in terminal.shown


def test_of_one_file_twice_both_jobs_are_known() -> None:
    display = Display()
    for job_id in ("1", "2"):
        display.show(Step("a.mp4", job_id=job_id, status=JobStatus.RUNNING))
    assert display.jobs == {"1": "a.mp4", "2": "a.mp4"}
    display.remove(Done(Path("a.mp4"), job_id="1"))
    assert display.jobs == {"2": "a.mp4"}


def test_results_in_a_terminal_are_a_table(forgesyte: ForgeSyte, server: ServerProcess) -> None:
    job_id = submit(server.base_url, TINY_MP4, "ocr")
    with forgesyte.in_terminal("results", job_id, "--wait") as terminal:
        assert terminal.wait() == 0
    assert TEXT in terminal.shown
    assert "uploading" not in terminal.shown
    assert '"results"' not in terminal.shown


def test_pipelines_are_those_installed_here(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORGESYTE_URL")
    installed = sorted(entry_points(group="forgesyte.pipelines").names)
    assert {"barcodes", "ocr"} <= set(installed)
    assert in_process("pipelines")[1].split() == installed
    assert json.loads(in_process("pipelines", "--json")[1]) == installed


PLUGIN = """
print("a greeting")


class Faces:
    name = "faces"
    tools = {"detect": {"input_schema": {"image_bytes": {"type": "string"}}}}

    def run_tool(self, tool, args):
        return {"faces": []}
"""


def test_the_tools_of_plugins_are_pipelines_too(forgesyte: ForgeSyte, tmp_path: Path) -> None:
    information = tmp_path / "faces-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: faces\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[forgesyte.plugins]\nfaces = faces:Faces\nbroken = missing:Plugin\n"
    )
    (tmp_path / "faces.py").write_text(PLUGIN)
    here = forgesyte.env | {"PYTHONPATH": str(tmp_path), "FORGESYTE_URL": ""}
    ended = ForgeSyte(tmp_path, here)("pipelines")
    assert "faces.detect" in ended.stdout.split()
    assert "broken" in ended.stderr
    assert "a greeting" in ended.stderr
    assert "a greeting" not in ended.stdout
    assert "Traceback" not in ended.stderr


def test_pipelines_are_those_of_the_server_that_is_named(
    forgesyte: ForgeSyte, in_process: InProcess, server: ServerProcess
) -> None:
    code, printed, _ = in_process("pipelines", "--json")
    assert code == 0
    assert {"nothing", "ocr"} <= {*json.loads(printed)}
    nobody = f"http://127.0.0.1:{free_port()}"
    assert in_process("pipelines", "--url", nobody)[0] == 3
    asked = forgesyte("pipelines", "--url", server.base_url)
    assert asked.stdout.split() == json.loads(printed)


@pytest.mark.parametrize("file", ["-", "/dev/stdin"])
def test_standard_input_is_read_to_its_end(forgesyte: ForgeSyte, file: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for stdin in (subprocess.PIPE, theirs.fileno()):
            with subprocess.Popen(
                [COMMAND, "submit", file, "-p", "barcodes", "--wait"],
                stdin=stdin,
                stdout=subprocess.PIPE,
                env=forgesyte.env,
            ) as command:
                if stdin != subprocess.PIPE:
                    ours.sendall(TINY_MP4.read_bytes())
                    ours.shutdown(socket.SHUT_WR)
                printed, _ = command.communicate(
                    TINY_MP4.read_bytes() if stdin == subprocess.PIPE else None, timeout=60
                )
            assert (command.returncode, CODE.encode() in printed) == (0, True)


def test_what_a_command_prints_can_be_submitted(forgesyte: ForgeSyte) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"'{COMMAND}' submit <(cat '{TINY_MP4}') -p barcodes --wait"],
        env=forgesyte.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, CODE in ended.stdout) == (0, True)


def test_ctrl_c_ends_the_reading_of_a_pipe(forgesyte: ForgeSyte) -> None:
    with forgesyte.in_terminal("submit", "-", "-p", "nothing") as terminal:
        wait_until(lambda: terminal.reads_from("/dev/pts/"), 60, "Reading")
        terminal.press_ctrl_c()
        assert terminal.wait() == 130


def test_a_job_that_is_lost_sight_of_is_named(forgesyte: ForgeSyte, tmp_path: Path) -> None:
    async def lose_sight() -> subprocess.CompletedProcess[str]:
        job_id = "66e1ee30-a53d-4190-b068-ec8821ddcf68"
        failing = answering(500, {"detail": "The server has failed."})
        async with serving(answering(200, {"job_id": job_id}), failing) as stub:
            arguments = ("submit", TINY_MP4, "-p", "nothing", "--wait", "--url", stub.url)
            return await asyncio.to_thread(forgesyte, *arguments)

    ended = asyncio.run(lose_sight())
    assert ended.returncode == 3
    assert "has failed. (job 66e1ee30-a53d-4190-b068-ec8821ddcf68)" in ended.stderr


def test_a_path_may_begin_at_home(
    in_process: InProcess, server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder in ("home", "~"):
        (tmp_path / folder).mkdir()
    (tmp_path / "home" / "video.mp4").write_bytes(TINY_MP4.read_bytes())
    code, job_id, _ = in_process("submit", "~/video.mp4", "-p", "nothing")
    assert code == 0
    for name in ("~/r.json", "./~/r.json", "./~r.json", "~r.json"):
        assert in_process("results", job_id.strip(), "--wait", "-o", name)[0] == 0
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert files == {"home/r.json", "~/r.json", "~r.json"}
    assert in_process("results", job_id.strip(), "-o", "~")[0] == 2


def test_the_module_with_arguments_is_the_command_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "serves"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "serves" in ended.stderr


def test_help_is_for_everybody(in_process: InProcess) -> None:
    code, overview, _ = in_process("--help")
    assert code == 0
    for command in ("submit", "status", "results", "pipelines", "serve", "worker"):
        assert command in overview
        code, text, complaint = in_process(command, "--help")
        assert (code, complaint) == (0, "")
        assert f"forgesyte {command}" in text
    assert in_process()[0] == 2


def test_its_version_is_that_of_the_package(in_process: InProcess) -> None:
    assert in_process("--version") == (0, f"forgesyte {version('forgesyte-video-jobs')}\n", "")


def test_every_exit_code_is_explained(in_process: InProcess) -> None:
    explained = re.findall(r"^ (\d+)  \S", in_process("--help")[1], re.MULTILINE)
    assert [int(code) for code in explained] == [*ExitCode, 130]


def test_calling_a_server_imports_nothing_of_it() -> None:
    program = "import sys, app.cli.commands; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(ended.stdout.split())
    of_it = {name for name in loaded if re.match(r"app\.(?!cli\b)", name)}
    assert of_it == {"app.core", "app.core.paths"}
    assert not loaded & {"fastapi", "sqlalchemy", "duckdb", "av", "numpy", "pandas"}


class Command(AppProcess):
    """`forgesyte` as a process that stays."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__([COMMAND, *arguments], folder / "unused")


def test_serve_then_worker(tmp_path: Path) -> None:
    data_dir, port = tmp_path / "data", free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--port", str(port), "--data-dir", str(data_dir)]
    with Command(tmp_path, "serve", *options) as server:
        wait_until(lambda: listens(port), 60, "Listening")
        job_id = submit(url, TINY_MP4, "ocr")
        assert status(url, job_id)["status"] in ("pending", "running")
        server.signal(signal.SIGKILL)
        server.wait(30)

    results_file = data_dir / "video_jobs" / f"{job_id}_results.json"
    with Command(tmp_path, "worker", "--data-dir", str(data_dir)) as worker:
        wait_until(results_file.exists, 60, "The results")
        with Command(tmp_path, "serve", *options) as second:
            assert second.wait(60) == 3
            assert "foregsyte.duckdb" in second.log()
        assert worker.stop() == 0


def test_serve_says_in_a_line_what_is_wrong_with_its_options(forgesyte: ForgeSyte) -> None:
    ended = forgesyte("serve", "--port", "70000")
    assert ended.returncode == 3
    assert ended.stderr.count("\n") == 1
    assert "FORGESYTE_PORT" in ended.stderr


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
