"""Pictures with words in them, of seven kinds: what was written there is known."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw

from tests.services.pipelines.drawing import Picture, font
from tests.support.footage import clip

FACES = ("Aileron", "SourceSerifPro-Semibold", "DejaVuSansMono")
HEIGHT, WIDTH = 720, 1280
FINER = 4
SAMPLE = """
about above across after again along always another answer around autumn because before behind
below between bridge bright button carry castle centre change circle clean clock cloud coast
corner country danger daylight delay depart direct drawing early engine enough evening factory
family February figure finger flight follow foreign forest forward garden Gate ground harbour
heavy hidden history holiday Hospital important inside island January journey keeping kitchen
ladder language later length letter library listen little London machine market measure message
middle minute mirror Monday morning mountain music narrow nature never night nothing number office
open orange outside paper Paris people picture place Platform please pocket point problem quarter
quick quiet railway reason record remember return river round school season second secret seven
shadow shoulder signal silver simple slowly special spring square station story street strong
summer sunrise surface table thing third ticket together tomorrow Tower travel under until valley
village visit voice walking warning water weather weekend welcome western window winter without
wonder written yellow yesterday young 12:45 2048 £350 7.5 1,200 90% 16th 42 2026
"""
ALONE = "7 42 2:1 No 3 GO 15 0:0 OK 88 5 Exit 1 21:30 A4"
WORDS, SHORT = SAMPLE.split(), ALONE.split()


class Case(NamedTuple):
    picture: Picture
    words: list[str]


def cases(kind: str, count: int) -> Iterator[Case]:
    """The first `count` pictures of a kind, the same each time."""
    backgrounds = film()
    for n in range(count):
        random = Random(f"{kind} {n}")
        background = backgrounds[random.randrange(len(backgrounds))]
        yield KINDS[kind](random, FACES[n % len(FACES)], background)


def film() -> list[Picture]:
    """Frames of footage, 1280 x 720."""
    frames: list[Picture] = []
    for name in ("bigbuckbunny.mp4", "bikes.mp4"):
        with av.open(clip(name)) as container:
            for n, frame in enumerate(container.decode(video=0)):
                if n % 25 == 0:
                    image: Any = frame.to_ndarray(width=WIDTH, height=HEIGHT, format="bgr24")
                    frames.append(image)
    return frames


def clean(random: Random, face: str, background: Picture) -> Case:
    """Slides: dark on light, or light on dark."""
    paper = random.choice([(255, 255, 255), (236, 232, 224), (24, 28, 40)])
    picture = np.full_like(background, paper)
    ink = "black" if sum(paper) > 300 else "white"
    size = random.randint(24, 40)
    lines = written(random, 8, 6)
    return Case(with_text(picture, lines, size, face, (60, 40), ink), split(lines))


def subtitles(random: Random, face: str, background: Picture) -> Case:
    """Two lines at the foot of a film, white with a dark outline."""
    size = random.randint(32, 42)
    lines = written(random, 2, 6)
    place = (140, HEIGHT - 60 - 3 * size)
    return Case(with_text(background, lines, size, face, place, "white", outline=2), split(lines))


def signs(random: Random, face: str, background: Picture) -> Case:
    """A board in a film, seen from aside."""
    lines = written(random, 3, 3)
    paper, ink = random.choice([((30, 90, 30), "white"), ((230, 230, 230), "black")])
    board = np.full((300, 620, 3), paper, np.uint8)
    board = with_text(board, lines, 44, face, (40, 36), ink)
    height, width = board.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    near = np.array([(random.uniform(-0.1, 0.1), random.uniform(-0.1, 0.1)) for _ in range(4)])
    seen = (
        corners * 0.9 + near * (height, height) + (random.randint(60, 500), random.randint(60, 300))
    )
    return Case(laid_on(background, board, corners, seen), split(lines))


def tilted(random: Random, face: str, background: Picture) -> Case:
    """Lines that rise or fall by 4 to 20 degrees."""
    lines = written(random, 4, 5)
    degrees = random.choice([-1, 1]) * random.uniform(4, 20)
    page = np.full((360, 900, 3), 245, np.uint8)
    page = with_text(page, lines, 34, face, (40, 40), "black")
    matrix: Any = cv2.getRotationMatrix2D((450, 180), degrees, 1)
    matrix[:, 2] += (WIDTH / 2 - 450, HEIGHT / 2 - 180)
    corners = np.array([(0, 0), (900, 0), (900, 360), (0, 360)], np.float32)
    seen = corners @ matrix[:, :2].T + matrix[:, 2]
    return Case(laid_on(background, page, corners, seen), split(lines))


def upright(random: Random, face: str, background: Picture) -> Case:
    """A film of 9:16 with a caption over it."""
    x = random.randrange(WIDTH - 405)
    tall: Any = cv2.resize(background[:, x : x + 405], (HEIGHT, WIDTH))
    size = random.randint(36, 48)
    lines = written(random, 3, 3)
    place = (60, random.randint(200, 900))
    return Case(with_text(tall, lines, size, face, place, "white", outline=2), split(lines))


def small(random: Random, face: str, background: Picture) -> Case:
    """A page of text, 12 pixels high."""
    lines = written(random, 24, 12)
    picture = with_text(np.full_like(background, 255), lines, 12, face, (60, 50), "black")
    return Case(picture, split(lines))


def short(random: Random, face: str, background: Picture) -> Case:
    """A score or a word or two, alone on a dark plate."""
    text = random.choice(SHORT)
    size = random.randint(28, 64)
    x, y = random.randint(40, WIDTH - 300), random.randint(40, HEIGHT - 120)
    picture = background.copy()
    width = int(font(face, size).getlength(text))
    picture[y - 8 : y + int(1.3 * size) + 8, x - 16 : x + width + 16] = (40, 30, 20)
    return Case(with_text(picture, [text], size, face, (x, y), "white"), [text])


KINDS: dict[str, Callable[[Random, str, Picture], Case]] = {
    "clean slides": clean,
    "subtitles over film": subtitles,
    "warped signs": signs,
    "tilted 4 to 20 degrees": tilted,
    "upright 9:16": upright,
    "12 px": small,
    "short texts": short,
}


def written(random: Random, lines: int, words: int) -> list[str]:
    return [" ".join(random.choices(WORDS, k=words)) for _ in range(lines)]


def split(lines: list[str]) -> list[str]:
    return " ".join(lines).split()


def with_text(
    picture: Picture,
    lines: list[str],
    size: int,
    face: str,
    place: tuple[int, int],
    ink: str,
    outline: int = 0,
) -> Picture:
    """Lines below each other, the first one's top left at `place`; shrunk to fit the width.

    Drawn larger and scaled down: Pillow places letters at whole pixels, as no browser or player
    does, which tears small words apart.
    """
    height, width = picture.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    image = image.resize((FINER * width, FINER * height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    longest = max(font(face, FINER * size).getlength(line) for line in lines)
    room = FINER * (width - place[0] - 20)
    fitting = font(face, min(FINER * size, int(FINER * size * room / longest)))
    for n, line in enumerate(lines):
        position = (FINER * place[0], FINER * (place[1] + int(1.6 * size * n)))
        draw.text(position, line, ink, fitting, stroke_width=FINER * outline, stroke_fill="black")
    return np.ascontiguousarray(np.asarray(image.reduce(FINER))[:, :, ::-1])


def laid_on(background: Picture, page: Picture, corners: Any, seen: Any) -> Picture:
    """The page on the background, its corners where they are seen."""
    matrix = cv2.getPerspectiveTransform(corners, np.asarray(seen, np.float32))
    size = background.shape[1::-1]
    flags = cv2.INTER_AREA
    warped = cv2.warpPerspective(page, matrix, size, flags=flags)
    mask = cv2.warpPerspective(np.full(page.shape[:2], 255, np.uint8), matrix, size)
    picture: Picture = np.where(mask[:, :, None] > 127, warped, background).astype(np.uint8)
    return picture
