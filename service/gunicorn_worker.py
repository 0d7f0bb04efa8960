"""Gunicorn's threaded worker, stopping without losing a request.

Gunicorn's own leaves connections that the system has taken already, with a request on them perhaps, in the listening
socket's queue; they are reset when the process ends. And it waits for streams, which do not end by themselves.
"""

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process of the service."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; not for the rest of this process's life if it is stopping."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self.wsgi.extensions["recommender"].end_streams()
            for listener in self.sockets:
                self._take_waiting(listener)
                listener.close()

    def _take_waiting(self, listener: object) -> None:
        """Take all connections that wait in a listening socket's queue."""
        before = -1
        while before < self.nr_conns:
            before = self.nr_conns
            self.accept(listener)
