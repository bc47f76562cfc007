"""The command line, `forgesyte`.

Half of its commands call a server, and need nothing but the client; the others are the server,
whose modules are imported when such a command runs.
"""
