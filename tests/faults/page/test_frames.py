"""What was found on a frame is drawn on that frame, where it was found.

Each frame shows a white square in another place, and the pipeline `square` tells where: the box
surrounds the square only if frame, orientation and scale are right.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from forgesyte_client.video import frame_times
from tests.clips import encode_clip, with_edits, with_matrix
from tests.faults.page.conftest import submit

pytestmark = pytest.mark.needs("browser")

COUNT = 12
TICKS = 512  # of a frame, in clips of 25 frames a second
START = 1024  # of the first one: two frames are decoded before it
PAUSES = [20, 40, 150, 33, 250]  # milliseconds, in turn

# How far the edges of the box, right and bottom, are from those of the square, in CSS pixels; null
# while nothing is drawn.
DISTANCE = """
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d", { willReadFrequently: true });
// The right and bottom edge of the pixels that fit; quick, for the next frame does not wait.
const edges = (source, fits, width, height, area) => {
  [canvas.width, canvas.height] = [width, height];
  context.drawImage(source, ...area);
  const { data } = context.getImageData(0, 0, width, height);
  let right = -1, bottom = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      if (!fits(data[at], data[at + 1], data[at + 2], data[at + 3])) continue;
      if (x > right) right = x;
      bottom = y;
    }
  }
  return [right, bottom];
};
const isWhite = (r, g, b) => r > 180 && g > 180 && b > 180;
const isColoured = (r, g, b, a) => a > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 80;
window.distance = () => {
  const video = document.querySelector("video"), overlay = document.querySelector("#overlay");
  const { clientWidth: width, clientHeight: height } = video;
  const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
  const shown = [video.videoWidth * scale, video.videoHeight * scale];
  const area = [(width - shown[0]) / 2, (height - shown[1]) / 2, ...shown];
  const square = edges(video, isWhite, width, height, area);
  const box = edges(overlay, isColoured, width, height, [0, 0, width, height]);
  return box[0] < 0 ? null : Math.max(...box.map((edge, n) => Math.abs(edge - square[n])));
};
window.boxEdge = () => {
  const overlay = document.querySelector("#overlay");
  const { clientWidth: width, clientHeight: height } = overlay;
  return edges(overlay, isColoured, width, height, [0, 0, width, height])[0];
};
// The time of each picture that is shown, and the right edge of the box then. Not the square's: on
// a busy machine the next picture may be there before this one is looked at.
window.whilePlaying = async () => {
  const video = document.querySelector("video"), seen = [];
  const note = (now, { mediaTime }) => {
    seen.push([mediaTime, boxEdge()]);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
  video.currentTime = 0;
  video.playbackRate = 0.25;
  await video.play();
  await new Promise((ended) => (video.onended = ended));
  return seen;
};
null; // a function would be called
"""


def squares() -> list[NDArray[np.uint8]]:
    """128 by 96, the square moving by 4 to the right and 2 down."""
    images = []
    for n in range(COUNT):
        image = np.full((96, 128, 3), 60, np.uint8)
        image[6 + 2 * n : 30 + 2 * n, 4 + 4 * n : 28 + 4 * n] = 255
        images.append(image)
    return images


def plain(path: Path, **options: Any) -> Path:
    return encode_clip(path, squares(), **options)


def of_variable_rate(path: Path) -> Path:
    with av.open(path, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for n, image in enumerate(squares()):
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = sum(PAUSES[m % len(PAUSES)] for m in range(n))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def edited(*edits: tuple[int, int]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(with_edits(plain(path).read_bytes(), *edits))
        return path

    return make


def turned(*matrix: float, **options: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(with_matrix(plain(path, **options).read_bytes(), *matrix))
        return path

    return make


CLIPS: dict[str, Callable[[Path], Path]] = {
    "plain": plain,
    "no edit list": lambda path: plain(path, container_options={"use_editlist": "0"}),
    "fragments": lambda path: plain(
        path, container_options={"movflags": "frag_keyframe+empty_moov"}, codec_options={"g": "5"}
    ),
    "variable rate": of_variable_rate,
    "trimmed": edited((280, START + 5 * TICKS)),
    "delayed": edited((200, -1), (480, START)),
    "repeated": edited((240, START), (240, START)),
    "a quarter right": turned(0, 1, -1, 0),
    "upside down": turned(-1, 0, 0, -1),
    "a quarter left": turned(0, -1, 1, 0),
    "mirrored": turned(-1, 0, 0, 1),
    "mirrored upside down": turned(1, 0, 0, -1),
    "mirrored, a quarter right": turned(0, 1, 1, 0),
    "mirrored, a quarter left": turned(0, -1, -1, 0),
    "flat pixels, a quarter right": turned(0, 1, -1, 0, codec_options={"aspect": "1:2"}),
}
FRAMES = {"trimmed": 7}
# Not "repeated", at whose end Chromium plays a frame that the edit list hides.
PLAYED = {"plain", "no edit list", "variable rate", "trimmed", "delayed", "mirrored"}


@pytest.mark.parametrize("name", CLIPS)
def test_boxes_stand_where_things_are(page: Page, tmp_path: Path, name: str) -> None:
    page.emulate_media(reduced_motion="reduce")  # nothing plays by itself
    clip = CLIPS[name](tmp_path / "clip.mp4")
    submit(page, "square", clip)
    page.locator("#found").wait_for()
    page.evaluate(DISTANCE)
    count = FRAMES.get(name, COUNT)
    # The square is moved by two pixels or more from frame to frame.
    scale = page.evaluate("document.querySelector('video').clientHeight / 128")
    assert scale > 3
    edges = []
    page.keyboard.press("Home")
    for frame in range(count):
        if name != "fragments":  # among which Chromium goes to frames nearby
            page.get_by_text(f"frame {frame} of 0–{count - 1} ").wait_for()
        page.wait_for_function(
            "(most) => distance() !== null && distance() < most", arg=1.6 * scale
        )
        edges.append(page.evaluate("boxEdge()"))
        page.keyboard.press("ArrowRight")
    if name in PLAYED:
        times = np.array(frame_times(clip, count))
        seen = [(time, edge) for time, edge in page.evaluate("whilePlaying()") if edge >= 0]
        assert seen
        for time, edge in seen:
            frame = int(np.abs(times - time).argmin())
            assert abs(edge - edges[frame]) <= 2, f"at {time} s, frame {frame}"


def test_nothing_is_drawn_where_the_video_pauses(page: Page, tmp_path: Path) -> None:
    """Chromium shows frames of elsewhere there."""
    page.emulate_media(reduced_motion="reduce")
    make = edited((240, START), (200, -1), (240, START))
    submit(page, "square", make(tmp_path / "clip.mp4"))
    page.locator("#found").wait_for()
    page.evaluate(DISTANCE)
    page.evaluate("document.querySelector('video').currentTime = 0.3")
    page.get_by_text("between two frames").wait_for()
    assert page.evaluate("distance()") is None


LOSE = """
() => {
  window.toLose = 0;
  const { prototype } = HTMLVideoElement;
  const { requestVideoFrameCallback: request } = prototype;
  prototype.requestVideoFrameCallback = function (callback) {
    const told = (...news) => (window.toLose-- > 0 ? request.call(this, told) : callback(...news));
    return request.call(this, told);
  };
}
"""


def test_a_frame_that_the_browser_does_not_tell_of_is_found(page: Page, tmp_path: Path) -> None:
    """As Chromium does now and then, when several are gone to in haste."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(LOSE)
    submit(page, "square", plain(tmp_path / "clip.mp4"))
    page.locator("#found").wait_for()
    page.get_by_text("frame 0 of").wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_text("frame 1 of").wait_for()
    page.evaluate("window.toLose = 1")
    page.keyboard.press("ArrowRight")
    page.get_by_text("frame 2 of").wait_for()
    assert page.evaluate("window.toLose") < 1


@pytest.mark.parametrize("name", ["mirrored", "trimmed", "repeated"])
def test_a_browser_that_does_not_follow_the_file_shows_no_picture(
    page: Page, tmp_path: Path, name: str
) -> None:
    """As Firefox, which plays all samples from the first one on, and mirrors none."""
    script = "export const followsFiles = async () => false;"
    page.route(
        "**/browser.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    page.reload()
    submit(page, "square", CLIPS[name](tmp_path / "clip.mp4"))
    page.get_by_text("as it was before it was cut or mirrored").wait_for()
    expect(page.locator("#picture")).to_be_hidden()
    expect(page.locator("#list b")).to_have_text("square")
    page.keyboard.press("End")
    page.get_by_text(f"frame {FRAMES.get(name, COUNT) - 1} of").wait_for()


COUNT_FROM_FIRST = """
() => {
  const FIRST = 0.08;
  const { prototype } = HTMLMediaElement;
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, "currentTime");
  Object.defineProperty(prototype, "currentTime", {
    get() { return Math.max(0, get.call(this) - FIRST); },
    set(time) { set.call(this, time + FIRST); },
  });
  const { requestVideoFrameCallback: request } = HTMLVideoElement.prototype;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
    const told = (now, { mediaTime }) => callback(now, { mediaTime: mediaTime - FIRST });
    return request.call(this, told);
  };
}
"""


def test_a_browser_that_counts_from_the_first_frame(page: Page, tmp_path: Path) -> None:
    """As Firefox, where the file says that the first frame comes later."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(COUNT_FROM_FIRST)
    submit(page, "square", CLIPS["no edit list"](tmp_path / "clip.mp4"))
    page.locator("#found").wait_for()
    page.evaluate(DISTANCE)
    for frame in range(COUNT):
        page.get_by_text(f"frame {frame} of 0–{COUNT - 1} · {0.04 * frame:.2f} s").wait_for()
        page.wait_for_function("() => distance() !== null && distance() < 8")
        page.keyboard.press("ArrowRight")


def test_chromium_follows_the_file(page: Page) -> None:
    follows = "import('/page/browser.js').then(({ followsFiles }) => followsFiles())"
    assert page.evaluate(follows) is True
