"""The web application: routes, security headers, errors as pages."""

from __future__ import annotations

from importlib import resources

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.web.language import CODES
from collector.web.pages import PageError, Pages
from collector.web.statements import Statements
from core.errors import SeirenError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class SecurityHeaders:
    """Put the same headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def create_app(statements: Statements) -> Starlette:
    """Make the application that shows statements; it only reads, and answers to loopback names only.

    Parameters
    ----------
    statements
        Where months come from.
    """
    pages = Pages(statements)

    def problem(request: Request, error: Exception) -> Response:
        return pages.problem(request, error)

    return Starlette(
        routes=[
            Route("/", pages.front),
            Mount("/static", StaticFiles(directory=str(resources.files("collector.web") / "static"))),
            *(route for code in CODES for route in _language_routes(code, pages)),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK_NAMES), www_redirect=False),
        ],
        exception_handlers={
            PageError: problem,
            SeirenError: problem,
            404: problem,
            405: problem,
            500: problem,
        },
    )


def _language_routes(code: str, pages: Pages) -> tuple[Route, ...]:
    month, figure = f"/{code}/month/{{month}}", f"/{code}/figure/{{month}}/{{figure}}"
    return (
        Route(f"/{code}/", pages.home),
        Route(f"{month}.json", pages.month_json),
        Route(f"{month}.csv", pages.month_csv),
        Route(month, pages.month),
        Route(f"{figure}.json", pages.figure_json),
        Route(f"{figure}.csv", pages.figure_csv),
        Route(figure, pages.figure),
    )
