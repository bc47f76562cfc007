"""How much of a video is decoded unless the settings say otherwise."""

DEFAULT_MAX_FRAME_PIXELS = 8192 * 4320
DEFAULT_MAX_VIDEO_FRAMES = 1_000_000
