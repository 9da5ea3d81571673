"""A running control plane: started into a state folder, found there by any later command, stopped by any."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.cluster import audit, components
from tests.cluster.build import Say, build, say
from tests.cluster.client import Client
from tests.cluster.pki import write_private
from tests.cluster.ports import free_ports, listens
from tests.cluster.process import Process, processes
from tests.cluster.shell import write_env
from tests.cluster.waiting import ClusterError, wait_for

_REPOSITORY = Path(__file__).parents[2]
_DESCRIPTION = "cluster.json"

# In the order of their starts: each is needed by those after it. They end after all others, last one first.
COMPONENTS = ("issuer", "etcd", "kube-apiserver", "kube-controller-manager")


class Cluster(Client):
    """etcd, API server, controller manager and token issuer of one state folder."""

    def __init__(self, state: Path, description: dict[str, Any]) -> None:
        programs = {name: Path(path) for name, path in description["programs"].items()}
        super().__init__(state, description["server"], programs)
        self.versions: dict[str, str] = description["versions"]
        self.ports = components.Ports(**description["ports"])

    @classmethod
    def start(
        cls,
        state: Path,
        *,
        durable: bool = False,
        tied: bool = False,
        api_server_args: Sequence[str] = (),
        progress: Say = say,
    ) -> Cluster:
        """Start a fresh cluster and return when people, roles and the admin's kubeconfig work.

        durable: etcd waits for the disk, as it must for benchmarks and where a test kills etcd.
        tied: everything ends with this process, even when that crashes (for tests).
        """
        state = state.resolve()
        # Built first: a long first build that is interrupted leaves no half-made state folder behind.
        programs = build(progress)
        _make_room(state)
        ports = components.Ports(*free_ports(4))
        description = {
            "server": f"https://{components.HOST}:{ports.api}",
            "issuer": f"https://{components.HOST}:{ports.issuer}",
            "ports": asdict(ports),
            "kubeconfig": str(state / "kubeconfig"),
            "logs": str(state / "logs"),
            "durable": durable,
            "versions": programs.versions,
            "programs": {name: str(path) for name, path in programs.paths.items()},
        }
        write_private(state / _DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())
        (state / "home").mkdir()
        cluster = cls(state, description)
        write_env(state, {name: cluster.programs[name] for name in ("kubectl", "helm")}, cluster.settings())
        try:
            if tied:
                cluster._python("watchdog", "tests.cluster.watchdog", str(state), piped=True)
            cluster._start_components(durable, api_server_args)
            cluster.wait_ready()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @classmethod
    def load(cls, state: Path) -> Cluster:
        """Find the cluster of a state folder, running or not."""
        state = state.resolve()
        try:
            description = json.loads((state / _DESCRIPTION).read_text())
        except (FileNotFoundError, ValueError):
            raise ClusterError(
                f"no cluster in {state}; start one: python -m tests.cluster up --state {state}"
            ) from None
        return cls(state, description)

    @property
    def processes(self) -> dict[str, Process]:
        """All its processes by name, operators included; each can be killed and restarted by a test."""
        return processes(self.state)

    @property
    def is_up(self) -> bool:
        """Whether all components run."""
        found = self.processes
        return all(name in found and found[name].is_alive for name in COMPONENTS)

    def stop(self, grace: float = 10) -> None:
        """End its own processes, and no others; files and logs stay."""
        stop_processes(self.state, grace)

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until the API server is ready, aggregated roles are filled and people's tokens accepted."""
        found = self.processes
        self._wait("the API server to be ready", found["kube-apiserver"], timeout, self._is_ready)
        manager = found["kube-controller-manager"]
        self._wait("roles view, edit and admin to be aggregated", manager, timeout, self._has_roles)
        self._wait("tokens of the issuer to be accepted", found["issuer"], timeout, self._accepts_people)

    def _start_components(self, durable: bool, api_server_args: Sequence[str]) -> None:
        ports, programs = self.ports, self.programs
        files = components.write_files(self.state, ports)
        issuer = self._python("issuer", "tests.cluster.issuer", "--state", str(self.state))
        etcd = self._start(components.etcd(programs["etcd"], self.state, ports, files, durable=durable))
        self._wait("etcd to listen", etcd, 30, lambda: listens(ports.etcd))
        # An API server that finds no issuer asks again only after 10 s.
        self._wait("the issuer to listen", issuer, 30, lambda: listens(ports.issuer))
        extra = [*audit.arguments(self.state, ports.api), *api_server_args]
        api = components.api_server(programs["kube-apiserver"], self.state, ports, files, extra)
        server = self._start(api)
        # A controller manager that finds no API server backs off for seconds.
        self._wait("the API server to be ready", server, 60, self._is_ready)
        self._start(components.controller_manager(programs["kube-controller-manager"], files))

    def _start(self, command: list[str]) -> Process:
        name = Path(command[0]).name
        return Process.start(self.state, name, command, environment=self.environment())

    def _python(self, name: str, module: str, *args: str, piped: bool = False) -> Process:
        command = [sys.executable, "-m", module, *args]
        return Process.start(
            self.state, name, command, environment=self.environment(), folder=_REPOSITORY, piped=piped
        )

    def _wait(self, what: str, process: Process, timeout: float, condition: Callable[[], object]) -> None:
        wait_for(what, condition, timeout, watching=process)

    def _is_ready(self) -> bool:
        return self.request("GET", "/readyz").status == 200

    def _has_roles(self) -> bool:
        """Each role holds the next smaller one whole: `edit` first appears without the rules of `view`."""
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        answers = [self.request("GET", f"{path}/{name}") for name in ("view", "edit", "admin")]
        if any(answer.status != 200 for answer in answers):
            return False
        view, edit, admin = (answer.body.get("rules") or [] for answer in answers)
        return bool(view) and all(r in edit for r in view) and all(r in admin for r in edit)

    def _accepts_people(self) -> bool:
        return self.whoami(self.person_token("somebody@example.com")).status == 201


def stop_processes(state: Path, grace: float = 10) -> list[str]:
    """End what was started in a state folder, in order. -> names of those that ran."""
    found = processes(state)
    running = [name for name, process in found.items() if process.is_alive]
    # The watchdog first, or it would do the same at the same time (unless it is the one who runs this).
    first = [name for name in ("watchdog",) if name in found and found[name].pid != os.getpid()]
    operators = [name for name in found if name not in (*COMPONENTS, "watchdog")]
    for name in operators:
        found[name].terminate()
    for name in (*first, *operators, *reversed(COMPONENTS)):
        if name in found:
            found[name].stop(grace)
    return running


def empty_folder(folder: Path, last: Sequence[str]) -> None:
    """Remove all that is in it. `last`: files by which it is known as ours, in case this is cut short."""
    marks = [folder / name for name in last]
    for path in [*(item for item in folder.iterdir() if item not in marks), *marks]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _make_room(state: Path) -> None:
    """An empty folder for a new cluster: the rest of a stopped one is removed, anything else refused."""
    if (state / _DESCRIPTION).exists():
        running = [process.name for process in processes(state).values() if process.is_alive]
        if running:
            raise ClusterError(
                f"the cluster in {state} still runs ({', '.join(running)}); "
                f"stop it: python -m tests.cluster down --state {state}"
            )
        empty_folder(state, [_DESCRIPTION])
    elif state.exists() and any(state.iterdir()):
        raise ClusterError(
            f"{state} is not empty and holds no cluster; give --state an empty or a new folder"
        )
    # Keys and tokens live there.
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
