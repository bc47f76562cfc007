"""The submitted video, read as the server reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import nan
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from forgesyte_client.edits import NEVER, Pauses, WithoutGaps


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream, Pauses]]:
    """A video and its main track: the first that is enabled, else the first, as players choose.

    Raises:
        ValueError: it has none.
    """
    with WithoutGaps(path) as file, av.open(file, "r") as container:
        tracks = container.streams.video
        if not tracks:
            raise ValueError(f"{path.name} has no video track.")
        stream = next((t for t in tracks if t.disposition & Disposition.default), tracks[0])
        stream.thread_type = "AUTO"
        yield container, stream, file.pauses.get(stream.id, NEVER)


def frame_times(path: Path, count: int) -> list[float]:
    """When each of the `count` frames is shown, in seconds from the start of the presentation.

    The times stand beside the encoded frames, in the order of decoding. Only where these are not as
    many as there are pictures, as when a picture has two fields, they are decoded.

    Raises:
        ValueError: there are more or fewer frames, or it is no video.
        OSError: the file cannot be read.
    """
    times = sorted(_times_of_packets(path))
    if len(times) != count:
        times = list(_times_of_pictures(path))
    if len(times) != count:
        raise ValueError(
            f"{path.name} has {len(times)} frames, but the results are of {count}: "
            "they are not those of this video."
        )
    return times


def _times_of_packets(path: Path) -> Iterator[float]:
    with opened(path) as (container, stream, pauses):
        for packet in container.demux(stream):
            # An edit list discards what is decoded, but not shown.
            if packet.size and packet.pts is not None and not packet.is_discard:
                yield float((packet.pts + pauses.before(packet.pts)) * packet.time_base)


def _times_of_pictures(path: Path) -> Iterator[float]:
    with opened(path) as (container, stream, pauses):
        for frame in container.decode(stream):
            if frame.pts is None or frame.time_base is None:
                yield nan
            else:
                yield float((frame.pts + pauses.before(frame.pts)) * frame.time_base)
