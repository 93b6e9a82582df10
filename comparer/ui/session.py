"""What the server keeps of every browser tab: how to stop what it runs, and which run that is."""

import threading
from dataclasses import dataclass, field

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

    def of(self, request: gr.Request) -> Session | None:
        """Return this tab's session, None where nothing has been run in it."""
        return self.all.get(request.session_hash or "")

    def begin(self, request: gr.Request) -> Session:
        """Return a session for what this tab begins; what still goes on in it makes way."""
        self.leave(request)
        session = self.all[request.session_hash or ""] = Session()
        return session

    def making(self) -> set[str]:
        """Name the runs that are being made by any tab."""
        return {session.making for session in list(self.all.values()) if session.running and session.making}

    def stop(self, request: gr.Request) -> None:
        """Stop this tab's run within one denoising step."""
        if session := self.of(request):
            session.stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stop the run of a tab that was closed."""
        if session := self.all.pop(request.session_hash or "", None):
            session.stop.set()
