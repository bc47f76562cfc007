"""Pictures of HEVC that a decoder has to skip, by ITU-T H.265."""

from collections.abc import Iterator

_SKIPPED_LEADING = (8, 9)
_BROKEN_LINK_ACCESS = (16, 17, 18)
_CLEAN_RANDOM_ACCESS = 21
_RANDOM_ACCESS = range(16, 24)
_PICTURES = range(32)
_END_OF_SEQUENCE = (36, 37)
_LENGTH_SIZE_BYTE = 21  # of the decoder configuration record in ISO/IEC 14496-15


class SkippedPictures:
    """Tells them from the others, when asked for one packet after another.

    begins_anew: whether the last packet was a random access point behind the end of a sequence. The
        pictures before it that have not been output by then never are (C.5.2.2).

    Leading pictures (RASL) refer to what comes before the random access point behind which they are
    stored. At the start of a sequence, and behind a broken link, there is nothing before.
    """

    def __init__(self, configuration: bytes | None) -> None:
        known = configuration is not None and len(configuration) > _LENGTH_SIZE_BYTE
        self._length_size = (configuration[_LENGTH_SIZE_BYTE] & 3) + 1 if known else 4  # type: ignore[index]
        self.begins_anew = False
        self._sequence_begins = True
        self._skips_leading = False

    def skips(self, packet: memoryview) -> bool:
        """Whether the packet's picture is one of them."""
        picture = None
        self.begins_anew = False
        for kind in self._units(packet):
            if kind in _END_OF_SEQUENCE:
                self._sequence_begins = True
            elif kind in _PICTURES and picture is None:
                picture = kind
                self._begin(kind)
        return picture in _SKIPPED_LEADING and self._skips_leading

    def _begin(self, picture: int) -> None:
        if picture in _RANDOM_ACCESS:
            self.begins_anew = picture == _CLEAN_RANDOM_ACCESS and self._sequence_begins
            self._skips_leading = self.begins_anew or picture in _BROKEN_LINK_ACCESS
        self._sequence_begins = False

    def _units(self, packet: memoryview) -> Iterator[int]:
        """The types of the units in a packet, each of which has its length in front."""
        start = self._length_size
        while start < len(packet):
            yield packet[start] >> 1 & 0x3F
            start += int.from_bytes(packet[start - self._length_size : start], "big")
            start += self._length_size
