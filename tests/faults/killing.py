"""An operator that is started again as soon as it was killed, as a Deployment does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.operator import OperatorProcess
from tests.faults.proxy import FaultProxy


@contextmanager
def deployed(operator: OperatorProcess) -> Iterator[None]:
    """Until the end of the block, whenever it ended; afterwards it answers."""
    over = threading.Event()

    def restart() -> None:
        while not over.wait(0.1):
            if not operator.is_alive:
                operator.process.restart()

    keeper = threading.Thread(target=restart)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        if not operator.is_alive:
            operator.process.restart()
        operator.wait_ready()


@contextmanager
def restarting(operator: OperatorProcess, proxy: FaultProxy) -> Iterator[None]:
    """Until the end of the block; the proxy strikes no more afterwards."""
    proxy.struck.clear()
    with deployed(operator):
        try:
            yield
        finally:
            proxy.spare()
