"""Server-side state of every browser tab: how to stop its current job, and which run that is."""

import threading
from dataclasses import dataclass, field
from secrets import token_hex

import gradio as gr


@dataclass
class Session:
    """Server-side state of one browser tab."""

    stop: threading.Event = field(default_factory=threading.Event)
    running: bool = False
    making: str = ""  # the run's name, once it has a folder


class Sessions:
    """The sessions of all tabs, and the handlers that need nothing else."""

    def __init__(self) -> None:
        self.all: dict[str, Session] = {}
        self.owners: dict[str, str] = {}

    def of(self, request: gr.Request) -> Session | None:
        """Return this tab's session; None if nothing has been run in it."""
        return self.all.get(request.session_hash or "")

    def begin(self, request: gr.Request) -> Session:
        """Start a session for a new job of this tab; its current job is stopped."""
        self.stop(request)
        session = self.all[request.session_hash or ""] = Session()
        return session

    def owner(self, request: gr.Request, given: str) -> str:
        """Return the secret of this tab's browser; initially a new one, the same for all requests of the tab."""
        return given or self.owners.setdefault(request.session_hash or "", token_hex(16))

    def making(self) -> set[str]:
        """List the names of the runs in progress in any tab."""
        return {session.making for session in list(self.all.values()) if session.running and session.making}

    def stop(self, request: gr.Request) -> None:
        """Stop this tab's run within one denoising step."""
        if session := self.of(request):
            session.stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stop the run of a tab that was closed."""
        self.owners.pop(request.session_hash or "", None)
        if session := self.all.pop(request.session_hash or "", None):
            session.stop.set()
