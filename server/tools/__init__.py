"""Commands that a developer or CI runs beside the server."""
