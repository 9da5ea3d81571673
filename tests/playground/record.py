"""What `make up` remembers for the commands after it: where it installed, and how to connect."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.pki import write_private

FILE = "playground.json"


@dataclass(frozen=True)
class Record:
    """place: own, kubeconfig or kind. url and token stay empty until everything was ready once."""

    place: str
    kubeconfig: str = ""
    url: str = ""
    token: str = ""

    @classmethod
    def load(cls, state: Path) -> Record | None:
        """None when there is none, or when a crash tore it."""
        try:
            return cls(**json.loads((state / FILE).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def save(self, state: Path) -> None:
        """Renamed into place: whole or not at all. Private, for the token."""
        draft = state / f"{FILE}.new"
        write_private(draft, json.dumps(asdict(self), indent=1).encode())
        draft.replace(state / FILE)

    @property
    def is_complete(self) -> bool:
        """Whether `make up` once came to its end."""
        return bool(self.token)

    def same_place(self, other: Record) -> bool:
        """Whether both mean the same cluster."""
        return (self.place, self.kubeconfig) == (other.place, other.kubeconfig)
