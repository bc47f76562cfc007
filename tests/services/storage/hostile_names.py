"""Names that lead elsewhere, are none, or are too long, for storage and staging alike."""

HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "../outside.mp4",
    "../../etc/passwd",
    "/etc/passwd",
    "folder/file.mp4",
    "folder/",
    "back\\slash.mp4",
    "nul\0.mp4",
    ".hidden",
    ".incoming",
    "x" * 300,
    "lone\ud800surrogate",
    "line\nbreak",
]
