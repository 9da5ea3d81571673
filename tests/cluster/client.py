"""Ways to talk to a cluster: its own kubectl and helm, and plain requests, each as whom one likes.

Nothing of the user's own set-up takes part: not their kubeconfig, their helm plugins, proxies or CA bundles.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.cluster.issuer import person_token
from tests.cluster.kubeconfig import write_kubeconfig


class CommandError(Exception):
    """kubectl or helm failed; the text holds the command and what it said."""


@dataclass(frozen=True)
class Answer:
    """What the API server answered."""

    status: int
    body: Any


class Client:
    """Access to one running cluster."""

    def __init__(self, state: Path, server: str, programs: dict[str, Path]) -> None:
        self.state = state
        self.server = server
        self.programs = programs

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def ca(self) -> Path:
        """The CA that signed the API server's certificate."""
        return self.state / "pki" / "ca.crt"

    @property
    def endpoint(self) -> dict[str, Any]:
        """The API server, as kubeconfigs name it."""
        return {"server": self.server, "certificate-authority": str(self.ca)}

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Environment for kubectl, helm and whatever else is to see this cluster and nothing else."""
        home = self.state / "home"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "HELM_CACHE_HOME": str(home / "helm" / "cache"),
            "HELM_CONFIG_HOME": str(home / "helm" / "config"),
            "HELM_DATA_HOME": str(home / "helm" / "data"),
        }

    def settings(self) -> dict[str, str]:
        """Environment variables that make kubectl and helm those of this cluster's admin."""
        mine = self.environment().items()
        return {name: value for name, value in mine if name.startswith(("KUBE", "HELM"))}

    def run(
        self,
        program: str,
        *args: str,
        input: str | None = None,
        token: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl or helm, as the admin or as the token's owner; failing is for the caller to judge."""
        kubeconfig = None if token is None else self.kubeconfig_for(token)
        return subprocess.run(
            [str(self.programs[program]), *args],
            env=self.environment(kubeconfig),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def kubectl(
        self,
        *args: str,
        input: str | None = None,
        check: bool = True,
        token: str | None = None,
        timeout: float = 120,
    ) -> str:
        """Run kubectl and return what it printed; with ``check=False`` its complaints are part of that."""
        return self._checked("kubectl", args, input, check, token, timeout)

    def helm(
        self,
        *args: str,
        input: str | None = None,
        check: bool = True,
        token: str | None = None,
        timeout: float = 300,
    ) -> str:
        """Run helm and return what it printed; with ``check=False`` its complaints are part of that."""
        return self._checked("helm", args, input, check, token, timeout)

    def kubeconfig_for(
        self,
        token: str,
        path: Path | None = None,
        namespace: str = "default",
        endpoint: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a kubeconfig that uses this bearer token alone (in the state folder unless told where).

        endpoint: something in front of the API server, for a client that is to go through it.
        """
        endpoint = endpoint or self.endpoint
        digest = hashlib.sha256(f"{token} {namespace} {endpoint['server']}".encode()).hexdigest()[:16]
        path = path or self.state / "kubeconfigs" / f"{digest}.yaml"
        return write_kubeconfig(path, endpoint, token=token, namespace=namespace)

    def person_token(self, username: str, groups: Sequence[str] = (), seconds: int = 3600) -> str:
        """A token as the people's identity provider would issue it."""
        return person_token(self.state, username, groups, seconds)

    def service_account_token(self, name: str, namespace: str, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, as a kubelet would mount it."""
        return self.kubectl("create", "token", name, "-n", namespace, f"--duration={seconds}s").strip()

    def request(
        self, method: str, path: str, *, body: Any = None, token: str | None = None, timeout: float = 30
    ) -> Answer:
        """Send one request, as the admin or as the token's owner; an error status is an answer too."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server}{path}", data, headers, method=method)
        opener = self._admin if token is None else self._bearer
        try:
            with opener.open(request, timeout=timeout) as response:
                return Answer(response.status, _parsed(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _parsed(error.read()))

    def can_list_pods(self, username: str, namespace: str, groups: Sequence[str] = ()) -> int:
        """Status of listing pods with the person's own token: the question that all of this is about.

        Served from the watch cache (resourceVersion=0), so that the time to the answer is RBAC's own.
        """
        path = f"/api/v1/namespaces/{namespace}/pods?resourceVersion=0&limit=1"
        return self.request("GET", path, token=self.person_token(username, groups)).status

    def whoami(self, token: str) -> Answer:
        """Ask the API server whom it takes the token's owner for."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        return self.request("POST", path, body=review, token=token)

    def _checked(
        self,
        program: str,
        args: tuple[str, ...],
        input: str | None,
        check: bool,
        token: str | None,
        timeout: float,
    ) -> str:
        done = self.run(program, *args, input=input, token=token, timeout=timeout)
        if not check:
            return done.stdout + done.stderr
        if done.returncode:
            command = " ".join((program, *args))
            raise CommandError(f"`{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _opener(self, *, as_admin: bool) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=str(self.ca))
        if as_admin:
            folder = self.state / "pki"
            context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        # An empty ProxyHandler: the environment's proxies have no business on loopback.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    @cached_property
    def _admin(self) -> urllib.request.OpenerDirector:
        return self._opener(as_admin=True)

    @cached_property
    def _bearer(self) -> urllib.request.OpenerDirector:
        # Without the admin's certificate, which would win over any token.
        return self._opener(as_admin=False)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
