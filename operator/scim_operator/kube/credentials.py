"""How we reach the API server: from a kubeconfig or from inside a pod, by the official client's loaders.

Only the credentials of `kubernetes.aio` are used: its generated calls cost about half of the throughput of a
plain aiohttp session, and its typed models refuse fields they don't know.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import Any

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)

from scim_operator.kube.errors import ApiError


@dataclass(frozen=True)
class Credentials:
    """Where the API server is and how to prove who we are. `token()` refreshes what expires."""

    _configuration: Any

    @property
    def server(self) -> str:
        """Base URL, no slash at the end."""
        return str(self._configuration.host).rstrip("/")

    @property
    def ca_path(self) -> str | None:
        """File with the CA's certificates, or None for the system's."""
        return self._configuration.ssl_ca_cert or None

    @property
    def insecure(self) -> bool:
        """True when the kubeconfig switched verification off."""
        return not self._configuration.verify_ssl

    @property
    def client_certificate(self) -> tuple[str, str] | None:
        """Files of the client's certificate and key."""
        if self._configuration.cert_file:
            return self._configuration.cert_file, self._configuration.key_file
        return None

    async def token(self) -> str | None:
        """The bearer token, without its scheme. Raises ApiError when it can't be read."""
        try:
            value = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except (ConfigException, OSError, ValueError) as error:
            raise ApiError(0, "NoToken", f"the token for the API server can't be read: {error}") from error
        return value.split(" ", 1)[-1].strip() if value else None

    def ssl_context(self) -> ssl.SSLContext:
        """TLS as these credentials ask for it."""
        context = ssl.create_default_context(cafile=self.ca_path)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            context.load_cert_chain(*self.client_certificate)
        return context


async def load_credentials(kubeconfig: str | None = None) -> Credentials:
    """From `kubeconfig`, else KUBECONFIG, else the pod's ServiceAccount, else ~/.kube/config.

    Raises `kubernetes.aio.config.ConfigException` when none of them is usable.
    """
    configuration = Configuration()
    if kubeconfig is None and "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)
    else:
        await load_kube_config(
            config_file=kubeconfig, client_configuration=configuration, persist_config=False
        )
    return Credentials(configuration)


def context_namespace() -> str:
    """The namespace of the kubeconfig's current context; `default` when it names none or there is none."""
    try:
        _, current = list_kube_config_contexts()
    except ConfigException:
        return "default"
    return str((current.get("context") or {}).get("namespace") or "default")
