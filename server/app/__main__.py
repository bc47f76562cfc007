"""`python -m app`: the server on FORGESYTE_HOST and FORGESYTE_PORT."""

from app.serving import serve

serve()
