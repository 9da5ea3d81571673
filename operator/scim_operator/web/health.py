"""Probes: /livez, false when only a restart helps; /readyz, false while requests can't be answered.

As the API server's own: `ok`, and with `?verbose`, or when something fails, a line for every check.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

# By name; each says in words what is wrong, or None.
Checks = Mapping[str, Callable[[], str | None]]


def health_application(live: Checks, ready: Checks, role: Callable[[], str] = lambda: "") -> web.Application:
    """Both probes over their checks. `role`: what is told with `ok` by readiness, `leader` or `standby`."""
    app = web.Application()
    app.router.add_get("/livez", _probe("livez", live, lambda: ""))
    app.router.add_get("/readyz", _probe("readyz", ready, role))
    return app


def _probe(
    name: str, checks: Checks, role: Callable[[], str]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def probe(request: web.Request) -> web.Response:
        wrong = {check: problem for check, look in checks.items() if (problem := look())}
        if not wrong and "verbose" not in request.query:
            return web.Response(text=f"ok {role()}".rstrip() + "\n")
        lines = [
            f"[-]{check} failed: {wrong[check]}" if check in wrong else f"[+]{check} ok" for check in checks
        ]
        verdict = f"{name} check {'failed' if wrong else 'passed'}"
        return web.Response(text="\n".join([*lines, verdict, ""]), status=503 if wrong else 200)

    return probe
