"""What pipelines answer is shown as text, however it is made and however much it is."""

import shutil
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Page, expect

from tests.faults.page.conftest import Open, submit
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import submit as submit_by_program
from tests.support.client import wait_for
from tests.support.server import ServerProcess

pytestmark = pytest.mark.needs("browser")

MARKUP = '<img src=x onerror="window.struck = 1">'
FRAMES = 100_000
LINES = 8
MIB = 1024 * 1024

# The longest that nothing could be drawn, in milliseconds, since it was asked last.
WATCH = """
() => {
  let latest = performance.now();
  window.longest = 0;
  const note = () => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - latest);
    latest = now;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
}
"""
TAKE = "() => { const longest = window.longest; window.longest = 0; return longest; }"


def test_markup_and_nonsense_are_text(page: Page, tmp_path: Path) -> None:
    submit(page, "hostile", Path(shutil.copy(TINY_MP4, tmp_path / f"{MARKUP}.mp4")))
    expect(page.locator("#job-title")).to_have_text(f"{MARKUP}.mp4")
    expect(page.locator("#count")).to_have_text("20007 findings", timeout=30_000)
    page.fill("#narrow", "struck")
    expect(page.locator("#list b")).to_have_count(4)
    assert page.locator("#list b").first.text_content() == MARKUP
    expect(page.locator("#timeline-note")).to_have_text("The first 8 of what is measured.")
    expect(page.locator("#position")).to_contain_text("more are not drawn")
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.struck") is None


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("[]}", "The results are of no frame."),
        ('[{"frame_index":0}]}', "The results cannot be read:"),
        ('[{"frame_index":0,"result":{}},', "The results cannot be read: they are cut off."),
    ],
)
def test_results_that_are_none(
    open_page: Open, server: ServerProcess, results: str, said: str
) -> None:
    job_id = submit_by_program(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    stored = server.data_dir / f"video_jobs/{job_id}_results.json"
    stored.write_text(f'{{"job_id":"{job_id}","results":{results}')
    page = open_page(f"#{job_id}")
    expect(page.locator("#job-message")).to_contain_text(said)
    expect(page.locator("#found")).to_be_hidden()


def test_much_leaves_the_page_alive(open_page: Open, server: ServerProcess) -> None:
    job_id = submit_by_program(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)
    write_much(server.data_dir / f"video_jobs/{job_id}_results.json", job_id)
    page = open_page()
    page.evaluate(WATCH)
    page.fill("#job-id", job_id)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#count")).to_have_text(
        f"{FRAMES * (LINES - 1) + 1} findings", timeout=60_000
    )
    longest = {"opening": page.evaluate(TAKE)}
    page.fill("#narrow", "of frame 7")
    expect(page.locator("#count")).to_contain_text(" of ")
    page.fill("#narrow", "")
    expect(page.locator("#count")).not_to_contain_text(" of ")
    longest["narrowing"] = page.evaluate(TAKE)
    page.evaluate("document.querySelector('#list').scrollTop = 1e9")
    expect(page.locator("#list b").last).to_have_text(f"Line {LINES - 1} of frame {FRAMES - 1}")
    longest["scrolling"] = page.evaluate(TAKE)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.locator("#timeline").click()
    longest["moving"] = page.evaluate(TAKE)
    print(longest)
    assert max(longest.values()) < 620, longest


def write_much(path: Path, job_id: str) -> None:
    """200 MB of lines, all but one of them different in each frame."""
    text = " and so on" * 10
    with path.open("wb") as file:
        file.write(b'{"job_id":"%s","results":[' % job_id.encode())
        for frame in range(FRAMES):
            blocks = [
                {
                    "text": f"Line {line} of frame {frame}" if line else f"The title,{text}",
                    "confidence": 0.9321,
                    "bbox": {"x": 10, "y": 20 * line, "width": 300, "height": 18},
                    "and": text,
                }
                for line in range(LINES)
            ]
            element = {"frame_index": frame, "result": {"text": text, "blocks": blocks}}
            file.write(b",\n" * (frame > 0) + orjson.dumps(element))
        file.write(b"]}\n")
        assert file.tell() > 150 * MIB
