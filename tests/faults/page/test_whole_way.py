"""What a person does with the page, against the real server."""

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.clips import encode_clip, numbered_frames
from tests.faults.page.conftest import Open, submit
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TEXT, TINY_MP4
from tests.support.client import submit as submit_by_program
from tests.support.client import wait_for
from tests.support.server import ServerProcess

pytestmark = pytest.mark.needs("browser")

NOBODY_S = "66e1ee30-a53d-4190-b068-ec8821ddcf68"
DROP = """
([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "video/mp4" }));
  const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("#drop").dispatchEvent(drop);
}
"""
FILL_STORAGE = """
() => {
  for (let size = 2 ** 23; size >= 1; size /= 2) {
    try {
      localStorage.setItem(size, "x".repeat(size));
    } catch {}
  }
  addEventListener("storage", () => (window.isTold = true));
}
"""
# How many pixels of the overlay have something drawn on them.
DRAWN = """
() => {
  const overlay = document.querySelector("#overlay");
  const { data } = overlay.getContext("2d").getImageData(0, 0, overlay.width, overlay.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}
"""


def rows(page: Page) -> list[str]:
    return page.locator("#list b").all_text_contents()


def test_from_the_drop_to_boxes_on_the_moving_picture(page: Page) -> None:
    page.evaluate(DROP, ["tiny.mp4", base64.b64encode(TINY_MP4.read_bytes()).decode()])
    expect(page.locator("#jobs li")).to_contain_text("completed")
    expect(page.locator("#list b")).to_have_text(TEXT)
    expect(page.locator("#list small")).to_have_text("frames 0–9 · 0.00 s")
    page.wait_for_function("() => document.querySelector('video').ended")  # it plays by itself
    expect(page.locator("#position")).to_contain_text(f"frame {FRAME_COUNT - 1} of 0–9")
    assert page.evaluate(DRAWN) > 1000
    timeline = page.locator("#timeline")
    box = timeline.bounding_box()
    assert box is not None
    timeline.click(position={"x": 150 + 0.55 * (box["width"] - 150), "y": box["height"] / 2})
    expect(page.locator("#position")).to_contain_text("frame 5 of 0–9 · 0.50 s")
    expect(timeline).to_have_attribute("aria-valuetext", "frame 5 of 0–9 · 0.50 s")


def test_the_list_is_narrowed_and_gone_through_by_keyboard(page: Page) -> None:
    submit(page, "cuts", TINY_MP4)
    expect(page.locator("#list b")).to_have_text(["shot 0", "shot 1", "shot 2"])
    page.locator("#list").focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#position")).to_contain_text("frame 8 of")
    expect(page.locator("#list .shown")).to_contain_text("shot 2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#list .shown")).to_contain_text("shot 1")
    page.fill("#narrow", "SHOT 1")
    expect(page.locator("#count")).to_have_text("1 of 3 findings")
    assert rows(page) == ["shot 1"]
    page.locator("#narrow").press("ArrowRight")  # moves in the text, not in the video
    expect(page.locator("#position")).to_contain_text("frame 7 of")


def test_several_files_go_one_after_the_other_and_each_keeps_its_picture(
    page: Page, tmp_path: Path
) -> None:
    other = encode_clip(tmp_path / "other.mp4", numbered_frames(7))
    submit(page, "quality", TINY_MP4, other)
    expect(page.locator("#jobs li")).to_have_count(2)
    expect(page.locator("#job-title")).to_have_text("tiny.mp4")
    page.locator("#jobs button", has_text="other.mp4").click()
    expect(page.locator("#position")).to_contain_text("of 0–6")
    expect(page.locator("#found")).to_be_visible()
    page.go_back()
    expect(page.locator("#job-title")).to_have_text("tiny.mp4")
    expect(page.locator("#position")).to_contain_text("of 0–9")


def test_a_failed_job_says_why_and_a_refused_file_in_the_server_s_words(
    page: Page, tmp_path: Path
) -> None:
    submit(page, "raise_exception", TINY_MP4)
    expect(page.locator("#job-message")).to_contain_text("The pipeline raised an exception.")
    expect(page.locator("#jobs .failed")).to_have_text("failed")
    for size in (100, 20_000_000):  # the second is refused while it is still being sent
        (tmp_path / "notes.mp4").write_bytes(size * b".")
        submit(page, "ocr", tmp_path / "notes.mp4")
        refused = page.locator("#jobs li", has_text="The file is not an MP4 video")
        refused.get_by_role("button").click()
        expect(refused).to_have_count(0)


def test_a_restart_loses_nothing(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    moved = encode_clip(tmp_path / "moved.mp4", numbered_frames(7))
    submit(page, "sleep", TINY_MP4)
    expect(page.locator("#jobs li")).to_contain_text("running")
    server.kill()
    expect(page.locator("#away")).to_contain_text("The server does not answer.")
    submit(page, "quality", TINY_MP4, moved)
    waiting = page.locator("#jobs li", has_text="It is tried again.")
    expect(waiting).to_have_count(1)
    moved.unlink()
    server.start()
    server.wait_ready()
    expect(page.locator("#jobs .failed")).to_contain_text("This file cannot be read")
    expect(page.locator("#jobs .completed")).to_have_count(2)
    expect(page.locator("#away")).to_be_empty()
    page.reload()
    expect(page.locator("#jobs .completed")).to_have_count(2)
    expect(page.locator("#found")).to_be_visible()


def test_without_the_file_there_is_all_but_the_picture(page: Page) -> None:
    submit(page, "ocr", TINY_MP4)
    expect(page.locator("#list b")).to_have_text(TEXT)
    page.reload()
    expect(page.locator("#list small")).to_have_text("frames 0–9")
    expect(page.locator("#picture")).to_be_hidden()
    page.keyboard.press("End")
    expect(page.locator("#position")).to_have_text("frame 9 of 0–9")
    page.set_input_files("#attached", TINY_MP4)
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#position")).to_contain_text("frame 9 of 0–9 · 0.90 s")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#position")).to_contain_text("frame 8 of 0–9 · 0.80 s")


def test_another_video_is_told_from_that_of_the_results(page: Page, tmp_path: Path) -> None:
    submit(page, "ocr", TINY_MP4)
    expect(page.locator("#found")).to_be_visible()
    page.reload()
    other = encode_clip(tmp_path / "other.mp4", numbered_frames(7))
    page.set_input_files("#attached", other)
    expect(page.locator("#picture-message")).to_contain_text("has 7 frames, but the results are of")


def test_what_the_browser_cannot_decode_is_said_and_listed(page: Page, tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "clip.mp4", numbered_frames(7), codec="mpeg4")
    submit(page, "quality", clip)
    expect(page.locator("#picture-message")).to_have_text("This browser cannot show this video.")
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#list small").last).to_have_text("frame 6 · 0.24 s")
    page.locator("#list b").last.click()
    expect(page.locator("#summary")).to_contain_text("sharpness")


def test_two_tabs_have_one_list(open_page: Open) -> None:
    first, second = open_page(), open_page()
    submit(first, "quality", TINY_MP4)
    listed = second.locator("#jobs li")
    expect(listed).to_contain_text("completed")
    second.get_by_role("button", name="Take tiny.mp4 off this list").click()
    for tab in (first, second):
        expect(tab.locator("#jobs li")).to_have_count(0)


def test_a_job_that_the_browser_cannot_keep_is_listed_by_the_page(open_page: Open) -> None:
    page, other = open_page(), open_page()
    page.evaluate(FILL_STORAGE)
    submit(page, "quality", TINY_MP4)
    expect(page.locator("#not-kept")).to_be_visible()
    other.evaluate("localStorage.removeItem(1)")
    page.wait_for_function("() => window.isTold")
    expect(page.locator("#jobs .completed")).to_have_count(1)


def test_a_job_is_opened_by_its_id(page: Page, server: ServerProcess) -> None:
    job_id = submit_by_program(server.base_url, TINY_MP4, "ocr")
    wait_for(server.base_url, job_id, 60)
    for named, said in (("1", "valid UUID"), (NOBODY_S, f"There is no job {NOBODY_S}.")):
        page.fill("#job-id", named)
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#open-message")).to_contain_text(said)
    page.fill("#job-id", job_id)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#list b")).to_have_text(TEXT)
    expect(page.locator("#open-message")).to_be_empty()
    page.get_by_role("button", name=f"Take Job {job_id[:8]} off this list").click()
    expect(page.locator("#job")).to_be_hidden()
    page.go_back()  # to an address of a job that is not listed
    expect(page.locator("#list b")).to_have_text(TEXT)


# Each element in sight that has text of its own, with how its colour stands out from the ground.
CONTRASTS = """
() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) =>
    [r, g, b]
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return (channels(colour)[3] ?? 1) ? colour : ground(element.parentElement);
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    (one) =>
      one.checkVisibility() &&
      [...one.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim()),
  );
  return texts.map((one) => {
    const pair = [getComputedStyle(one).color, ground(one)].map(channels).map(luminance);
    return [one.id || one.textContent, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)];
  });
}
"""


@pytest.fixture(params=["light", "dark"])
def found_in(request: pytest.FixtureRequest, page: Page) -> Page:
    page.emulate_media(color_scheme=request.param)
    submit(page, "ocr", TINY_MP4)
    expect(page.locator("#list b")).to_have_text(TEXT)
    return page


def test_it_can_be_read_reached_and_named(found_in: Page) -> None:
    """Contrasts of WCAG 2.2's level AA, light and dark; nothing wider than a narrow screen; all
    that can be used has a name and is reached by the tabulator."""
    page = found_in
    assert [text for text in page.evaluate(CONTRASTS) if text[1] < 4.5] == []
    page.set_viewport_size({"width": 320, "height": 800})
    expect(page.locator("#list b")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    unnamed = re.compile(
        r"^\s*- (button|textbox|searchbox|combobox|listbox|slider|link)\s*:?$", re.M
    )
    assert not unnamed.search(page.locator("body").aria_snapshot())
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    controls = {"pipeline", "files", "job-id", "play", "back", "forward", "sound", "timeline"}
    assert {*controls, "narrow", "list"} <= reached
