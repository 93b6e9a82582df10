"""What the server keeps of every browser tab: how to stop what it runs, and which run that is."""

import threading
from dataclasses import dataclass, field
from secrets import token_hex

import gradio as gr


@dataclass
class Session:
    """What the server keeps of one browser tab."""

    stop: threading.Event = field(default_factory=threading.Event)
    running: bool = False
    making: str = ""  # the run's name, once it has a folder


class Sessions:
    """The sessions of all tabs, and the handlers that need nothing else."""

    def __init__(self) -> None:
        self.all: dict[str, Session] = {}
        self.owners: dict[str, str] = {}

    def of(self, request: gr.Request) -> Session | None:
        """Return this tab's session, None where nothing has been run in it."""
        return self.all.get(request.session_hash or "")

    def begin(self, request: gr.Request) -> Session:
        """Return a session for what this tab begins; what still goes on in it makes way."""
        self.stop(request)
        session = self.all[request.session_hash or ""] = Session()
        return session

    def owner(self, request: gr.Request, given: str) -> str:
        """Return the secret that this tab's browser keeps; at first a new one, the same for all that the tab asks."""
        return given or self.owners.setdefault(request.session_hash or "", token_hex(16))

    def making(self) -> set[str]:
        """Name the runs that are being made by any tab."""
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
