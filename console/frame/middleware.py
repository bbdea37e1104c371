"""What stands around every request: security headers, and static files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from whitenoise.middleware import WhiteNoiseMiddleware

Answer = Callable[[HttpRequest], Any]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# The accounts are Unfold's pages, whose Alpine evaluates expressions in attributes.
ACCOUNTS_POLICY = POLICY.replace(
    "script-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval'"
).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


@sync_and_async_middleware
def security_headers(get_response: Answer) -> Answer:
    """Forbid everything that does not come from this console itself."""

    def seal(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        accounts = request.path_info.startswith("/accounts/")
        response.headers["Content-Security-Policy"] = ACCOUNTS_POLICY if accounts else POLICY
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        if not request.path_info.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    if iscoroutinefunction(get_response):
        asynchronous = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", get_response)

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            return seal(request, await asynchronous(request))

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        return seal(request, get_response(request))

    return answer


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise publishes no types
    """WhiteNoise's files without a thread per request: they are small and read whole."""

    async_capable = True

    def __init__(self, get_response: Answer) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        path = request.path_info
        file = self.find_file(path) if self.autorefresh else self.files.get(path)
        if file is None:
            return self.get_response(request)
        if iscoroutinefunction(self):
            return self._later(file, request)
        return self.serve(file, request)

    async def _later(self, file: Any, request: HttpRequest) -> HttpResponse:
        return self.serve(file, request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Return one file, or that it has not changed."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        del response.headers["Content-Type"]
        for key, value in found.headers:
            response.headers[key] = value
        return response
