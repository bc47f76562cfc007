"""Recognising an MP4 by its first bytes.

An ISO base media file (ISO/IEC 14496-12) begins with a `ftyp` box: a 32-bit big-endian box size,
the four bytes `ftyp`, and the major brand.
"""

from app.core.errors import InvalidUpload

SIGNATURE_BYTES = 12

MIN_BOX_BYTES = 16  # size, type, major brand, minor version
MAX_BOX_BYTES = 1024 * 1024

# Brands registered for what is not an MP4 video, from the MP4 registration authority's list.
REFUSED_BRANDS = {
    "a still image": (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        *(b"avif", b"avis"),
    ),
    "audio without video": (b"M4A ", b"M4B "),
    "QuickTime": (b"qt  ",),
    "JPEG 2000": (b"jp2 ", b"jpx ", b"jpm ", b"mjp2"),
}
KIND_OF_BRAND = {brand: kind for kind, brands in REFUSED_BRANDS.items() for brand in brands}


def check_mp4_signature(head: bytes) -> None:
    """Judge a file by its first SIGNATURE_BYTES bytes, or by all of it when it is shorter.

    Encoders write many major brands, so every brand passes that is not known to be something else.

    Raises:
        InvalidUpload: the bytes do not begin an MP4 video.
    """
    if not head:
        raise InvalidUpload("The file is empty.")
    if len(head) < SIGNATURE_BYTES or head[4:8] != b"ftyp":
        raise InvalidUpload("The file is not an MP4 video: it does not begin with an ftyp box.")
    size = int.from_bytes(head[:4], "big")
    if size % 4 or not MIN_BOX_BYTES <= size <= MAX_BOX_BYTES:
        raise InvalidUpload(f"The file is not an MP4 video: its ftyp box claims {size} bytes.")
    if kind := KIND_OF_BRAND.get(head[8:12]):
        raise InvalidUpload(f"The file is not an MP4 video: its brand says {kind}.")
