"""An application served at an address until it is stopped, and what its command line comes to.

What lives here: the listening socket and uvicorn around it, for every simulator.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from graftport_dagster.simulator.transports import CuttableProtocol

Stop = Callable[[], None]
Told = Callable[[int], None]


def _alone(stop: Stop) -> Iterable[Coroutine[Any, Any, None]]:
    del stop
    return ()


def listen(
    application: ASGIApp,
    host: str,
    port: int,
    *,
    listening: Told | None = None,
    backlog: int = 128,
    keep_alive_seconds: int = 5,
    beside: Callable[[Stop], Iterable[Coroutine[Any, Any, None]]] = _alone,
) -> None:
    """Serves until SIGINT or SIGTERM, or until what runs `beside` it stops it.

    Port 0 takes a free one; `listening` is told the port once questions are answered. Raises OSError when
    the port is taken.
    """
    listener = socket.create_server((host, port), backlog=backlog)
    config = uvicorn.Config(
        application, http=CuttableProtocol, log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2, timeout_keep_alive=keep_alive_seconds,
    )  # fmt: skip
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(uvicorn.Server(config), listener, listening, beside))
    finally:
        listener.close()


async def _run(
    web: uvicorn.Server,
    listener: socket.socket,
    listening: Told | None,
    beside: Callable[[Stop], Iterable[Coroutine[Any, Any, None]]],
) -> None:
    def stop() -> None:
        web.should_exit = True

    tasks = [asyncio.create_task(each) for each in beside(stop)]
    if listening is not None:
        tasks.append(asyncio.create_task(_tell(web, listener, listening)))
    try:
        await web.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


async def _tell(web: uvicorn.Server, listener: socket.socket, listening: Told) -> None:
    while not web.started:
        await asyncio.sleep(0.01)
    listening(listener.getsockname()[1])


def exit_status(serve: Callable[[], None]) -> int:
    """What a command line that serves comes to: 2 for what cannot be served, 130 where it was interrupted."""
    try:
        serve()
    except (OSError, ValueError) as error:
        print(f"The simulator cannot be served: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
