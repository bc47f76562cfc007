"""A plugin whose dependencies are not installed."""

import no_such_inference_library  # type: ignore[import-not-found]

Plugin = no_such_inference_library.Plugin
