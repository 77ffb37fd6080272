"""A bar for work that the event loop does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

EVERY_S = 0.25


@asynccontextmanager
async def shown(what: str, total: int, done: Callable[[], int]) -> AsyncIterator[None]:
    """Show on standard error how far work has come while it is done; nothing where that is no terminal.

    Parameters
    ----------
    what : str
        What is being done.
    total : int
        Size of the work, like bytes to read; no bar for 0.
    done : callable
        How much of it is done by now.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (total and console.is_terminal)) as progress:
        bar = progress.add_task(what, total=total)

        async def show() -> None:
            while True:
                progress.update(bar, completed=done())
                await asyncio.sleep(EVERY_S)

        showing = asyncio.create_task(show())
        try:
            yield
        finally:
            showing.cancel()
