"""containerd, with all its files in the run's folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster.process import Process
from tests.cluster.waiting import wait_for
from tests.node.images import PAUSE
from tests.node.network import PODS

_CONFIG = """\
version = 2
root = "{state}/containerd/root"
state = "{state}/containerd/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Root in a container often may not lower a process's OOM score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


class Containerd:
    """The runtime of one node."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.socket = state / "containerd.sock"

    def start(self, environment: dict[str, str]) -> None:
        """And wait until it answers."""
        config = self._state / "containerd.toml"
        config.write_text(_CONFIG.format(state=self._state, socket=self.socket, pause=PAUSE))
        network = self._state / "cni" / "pods.conflist"
        network.parent.mkdir()
        network.write_text(json.dumps(self._network()))
        command = ["/usr/bin/containerd", f"--config={config}"]
        process = Process.start(self._state, "containerd", command, environment=environment)
        wait_for("containerd to answer", self._answers, 30, watching=process)

    def load(self, archive: Path) -> None:
        """An image, by the name that its archive gives it."""
        self._ctr("images", "import", str(archive)).check_returncode()

    def _answers(self) -> bool:
        return self._ctr("version").returncode == 0

    def _ctr(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        command = ["ctr", f"--address={self.socket}", "--namespace=k8s.io", *args]
        return subprocess.run(command, capture_output=True, check=False)

    def _network(self) -> dict[str, object]:
        addresses = {
            "type": "host-local",
            "dataDir": str(self._state / "addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": addresses,
        }
        return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
