"""Receiving one MP4 in a form, piece by piece, behind FastAPI's ordinary `UploadFile`.

FastAPI by itself parses the whole body into the system's temporary folder before a handler runs.
Here the file goes straight to the filesystem where it will stay, and what is wrong with it is
noticed while it is still coming in. Nothing in this package knows of jobs.
"""
