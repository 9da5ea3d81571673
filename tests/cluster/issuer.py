"""Tokens for people: an OpenID Connect issuer reduced to what an API server asks of one.

The API server reads discovery and keys over HTTPS from the process below; tokens are signed offline with the
key in the state folder, so minting one needs no running issuer. All state is in files: a restarted issuer
serves the same keys at the same address.

cluster.py starts it: ``python -m tests.cluster.issuer --state STATE``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.cluster.pki import Authority, load_key, new_key

AUDIENCE = "kubernetes"
_HOST = "127.0.0.1"


def prepare(state: Path, port: int) -> dict[str, Any]:
    """Make the issuer's keys and certificates; returns the API server's `jwt` entry for them."""
    folder = state / "issuer"
    authority = Authority(folder, "issuer-ca")
    authority.issue("server", "issuer", hosts=[_HOST])
    new_key(folder / "signing.key")
    url = f"https://{_HOST}:{port}"
    (folder / "issuer.json").write_text(json.dumps({"url": url, "port": port}))
    return {
        "issuer": {
            "url": url,
            "audiences": [AUDIENCE],
            "certificateAuthority": authority.path.read_text(),
        },
        "claimMappings": {
            "username": {"claim": "preferred_username", "prefix": ""},
            "groups": {"claim": "groups", "prefix": ""},
        },
        # With an empty prefix these are vital: without them whoever may set a claim is a cluster's admin.
        "userValidationRules": [
            {
                "expression": "user.username != '' && !user.username.startsWith('system:')",
                "message": "username is empty or reserved",
            },
            {
                "expression": "user.groups.all(g, !g.startsWith('system:'))",
                "message": "system: groups are reserved",
            },
        ],
    }


def person_token(state: Path, username: str, groups: Sequence[str] = (), seconds: int = 3600) -> str:
    """Sign a token for a person, as an identity provider would after a login."""
    folder = state / "issuer"
    key = load_key(folder / "signing.key")
    now = int(time.time())
    claims = {
        "iss": json.loads((folder / "issuer.json").read_text())["url"],
        "aud": AUDIENCE,
        "sub": username,
        "preferred_username": username,
        "groups": list(groups),
        "iat": now,
        "exp": now + seconds,
    }
    header = {"alg": "ES256", "typ": "JWT", "kid": _key_id(key)}
    signed = f"{_segment(header)}.{_segment(claims)}"
    # JWS wants the two numbers of the signature side by side (RFC 7518, 3.4), not their DER form.
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def application(state: Path) -> web.Application:
    """The issuer's two documents as an aiohttp application."""
    folder = state / "issuer"
    url = json.loads((folder / "issuer.json").read_text())["url"]
    key = load_key(folder / "signing.key")
    discovery = {
        "issuer": url,
        "jwks_uri": f"{url}/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
    keys = {"keys": [_public_jwk(key) | {"kid": _key_id(key), "use": "sig", "alg": "ES256"}]}

    async def serve_discovery(request: web.Request) -> web.Response:
        return web.json_response(discovery)

    async def serve_keys(request: web.Request) -> web.Response:
        return web.json_response(keys)

    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", serve_discovery)
    app.router.add_get("/jwks", serve_keys)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.issuer", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="state folder of the cluster")
    state: Path = parser.parse_args().state
    folder = state / "issuer"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    port = json.loads((folder / "issuer.json").read_text())["port"]
    web.run_app(application(state), host=_HOST, port=port, ssl_context=context)


def _public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """The key's thumbprint (RFC 7638), so that it needs no keeping."""
    canonical = json.dumps(_public_jwk(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _segment(part: dict[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
