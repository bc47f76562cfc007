"""Video files made by the tests, and ways to take real ones apart."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from numpy.typing import NDArray


def numbered_frames(count: int, height: int = 96, width: int = 128) -> list[NDArray[np.uint8]]:
    """Frames that 28 at a time can be told apart after encoding: by their grey levels."""
    return [np.full((height, width, 3), 20 + 8 * (n % 28), np.uint8) for n in range(count)]


def textured_frames(count: int, height: int = 96, width: int = 128) -> list[NDArray[np.uint8]]:
    """Frames of which every codec makes packets that are worth damaging."""
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return [np.ascontiguousarray(np.roll(noise, 3 * n, axis=1)) for n in range(count)]


def frame_number(frame: NDArray[np.uint8]) -> int:
    return round((float(frame.mean()) - 18) / 8)


def encode_clip(
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    codec_options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Encode BGR images, 25 a second, as an MP4 file."""
    with av.open(path, "w", format="mp4", options=dict(container_options or {})) as container:
        stream: Any = None
        for image in images:
            if stream is None:
                stream = container.add_stream(codec, rate=25, options=dict(codec_options or {}))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pix_fmt
            container.mux(stream.encode(VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def encode_beside(path: Path, count: int, *others: Callable[[Any], Iterator[Any]]) -> Path:
    """So many numbered frames beside further tracks, each added and filled by a function."""
    with av.open(path, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        for packets in [other(container) for other in others]:
            for packet in packets:
                container.mux(packet)
        for image in numbered_frames(count):
            container.mux(video.encode(VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(video.encode(None))
    return path


def second_video(container: Any) -> Iterator[Any]:
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"

    def packets() -> Iterator[Any]:
        for image in numbered_frames(5, 48, 64):
            yield from stream.encode(VideoFrame.from_ndarray(image, format="bgr24"))
        yield from stream.encode(None)

    return packets()


def sound(container: Any) -> Iterator[Any]:
    stream = container.add_stream("aac", rate=48000)

    def packets() -> Iterator[Any]:
        for n in range(50):
            samples = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, n * 1024
            yield from stream.encode(frame)
        yield from stream.encode(None)

    return packets()


def splice(path: Path, clips: Iterable[Path]) -> Path:
    """Put the packets of clips of one codec into one track, one clip after another."""
    with av.open(path, "w", format="mp4") as output:
        track: Any = None
        offset = 0
        for clip in clips:
            with av.open(clip) as source:
                stream = source.streams.video[0]
                track = track or output.add_stream_from_template(stream)
                end = offset
                for packet in source.demux(stream):
                    if packet.size:
                        assert packet.pts is not None
                        assert packet.dts is not None
                        packet.pts += offset
                        packet.dts += offset
                        end = max(end, packet.pts + (packet.duration or 0))
                        packet.stream = track
                        output.mux(packet)
                offset = end
    return path


def remux(path: Path, source: Path, change: Callable[[int, bytes], bytes | None]) -> Path:
    """Put packets, each changed or (None) left out, into a file of their own, all to be shown."""
    options = {"use_editlist": "0"}
    with av.open(source) as input, av.open(path, "w", format="mp4", options=options) as output:
        track = output.add_stream_from_template(input.streams.video[0])
        for number, packet in enumerate(input.demux(video=0)):
            content = change(number, bytes(packet)) if packet.size else None
            if content is not None:
                changed = Packet(content)
                changed.pts, changed.dts = packet.pts, packet.dts
                changed.duration = packet.duration or 0
                changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
                changed.stream = track
                output.mux(changed)
    return path


def without_units(packet: bytes, kind: int) -> bytes:
    """A packet of H.264 without its NAL units of a type."""
    kept, start = [], 0
    while start < len(packet):
        end = start + 4 + int.from_bytes(packet[start : start + 4], "big")
        if packet[start + 4] & 31 != kind:
            kept.append(packet[start:end])
        start = end
    return b"".join(kept)


def with_matrix(data: bytes, a: float, b: float, c: float, d: float) -> bytes:
    """The same file, its track's matrix mapping (x, y) to (a x + c y, b x + d y)."""
    a, b, c, d = (round(value * 0x10000) for value in (a, b, c, d))
    matrix = numbers(a, b, 0, c, d, 0, 0, 0, 2**30)
    return change_boxes(data, b"tkhd", lambda body: body[:40] + matrix + body[76:])


def with_edits(data: bytes, *edits: tuple[int, int]) -> bytes:
    """The same file, showing parts of so many milliseconds, from these ticks (-1: nothing) on."""
    entries = [numbers(duration, time, 0x10000) for duration, time in edits]
    content = b"".join([numbers(0, len(entries)), *entries])
    lasting = numbers(sum(duration for duration, _ in edits))
    data = change_boxes(data, b"tkhd", lambda body: body[:20] + lasting + body[24:])
    return change_boxes(data, b"elst", lambda _: content)


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *(value % 2**32 for value in values))


def change_boxes(data: bytes, kind: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Replace the bodies of all boxes of a kind in the index, which has to be the file's end."""
    containers = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")
    changed = []
    for found, start, end in top_level_boxes(data):
        body = data[start + 8 : end]
        if found == kind:
            body = change(body)
        elif found in containers:
            body = change_boxes(body, kind, change)
        changed.append(box(found, body))
    return b"".join(changed)


def top_level_boxes(data: bytes | bytearray) -> list[tuple[bytes, int, int]]:
    """Kind, start and end of each box; sizes of 32 bits only."""
    boxes, start = [], 0
    while start < len(data):
        end = start + int.from_bytes(data[start : start + 4], "big")
        boxes.append((bytes(data[start + 4 : start + 8]), start, end))
        start = end
    return boxes


def media_range(data: bytes | bytearray) -> tuple[int, int]:
    """Where the encoded frames lie: the contents of the largest mdat box."""
    spans = [(start + 8, end) for kind, start, end in top_level_boxes(data) if kind == b"mdat"]
    return max(spans, key=lambda span: span[1] - span[0])


def packet_ranges(path: Path) -> list[slice]:
    """Where the encoded frames lie, in the order of decoding."""
    with av.open(path) as container:
        return [
            slice(packet.pos, packet.pos + packet.size)
            for packet in container.demux(video=0)
            if packet.size and packet.pos is not None
        ]


def zero(data: bytes, ranges: Iterable[slice]) -> bytes:
    out = bytearray(data)
    for span in ranges:
        out[span] = bytes(span.stop - span.start)
    return bytes(out)


def without_fragment(data: bytes, number: int, *, keep_media: bool) -> bytes:
    """Take out that moof box, counted from 0, and the mdat behind it unless it is kept."""
    boxes = top_level_boxes(data)
    at = [n for n, (kind, _, _) in enumerate(boxes) if kind == b"moof"][number]
    start, end = boxes[at][1], boxes[at if keep_media else at + 1][2]
    return data[:start] + data[end:]


def index_first(data: bytes) -> bytes:
    """The same file with moov before mdat, so that a cut leaves it readable."""
    boxes = top_level_boxes(data)
    moov = next(data[start:end] for kind, start, end in boxes if kind == b"moov")
    rest = b"".join(data[start:end] for kind, start, end in boxes if kind not in (b"ftyp", b"moov"))
    ftyp = next(data[start:end] for kind, start, end in boxes if kind == b"ftyp")
    return ftyp + _moved(moov, len(moov)) + rest


def _moved(moov: bytes, distance: int) -> bytes:
    """Add to every chunk offset (stco box: size, kind, flags, count, offsets)."""
    out = bytearray(moov)
    at = out.find(b"stco")
    while at >= 0:
        for n in range(int.from_bytes(out[at + 8 : at + 12], "big")):
            slot = slice(at + 12 + 4 * n, at + 16 + 4 * n)
            out[slot] = (int.from_bytes(out[slot], "big") + distance).to_bytes(4, "big")
        at = out.find(b"stco", at + 4)
    return bytes(out)
