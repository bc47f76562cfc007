"""What pages of other origins may read."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api_routes.deps import allowed_origins


class CrossOrigin:
    """CORS for the origins that the settings list, which are read when the application starts:
    later than its middleware is put together."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = allowed_origins(scope["app"]) if scope["type"] == "http" else ()
        app = with_cors(self._app, origins) if origins else self._app
        await app(scope, receive, send)


def with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["Accept-Ranges", "Content-Range", "ETag"],
    )
