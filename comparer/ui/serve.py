"""Serve the page on a free port, which is printed; the heavy libraries load in the background."""

import socket
import sys
import threading

import gradio as gr

from comparer.config import Config
from comparer.engine import eta
from comparer.errors import ComparerError
from comparer.models.libraries import prepare
from comparer.reporting.viewer import viewer
from comparer.text import quote
from comparer.ui.app import STATIC


def launch(demo: gr.Blocks, config: Config) -> None:
    """Serve until interrupted; a refusal prints one line and exits with code 2."""
    try:
        check(config)
    except ComparerError as error:
        print(f"comparer: {error}", file=sys.stderr)
        sys.exit(2)
    port = free_port(config.host, config.port)
    if port != config.port:
        print(f"Port {config.port} is taken: using {port}.", flush=True)
    demo._queue.sleep_when_free = 0.05  # 1 ms else: it takes a core's time from timed calls
    _, url, _ = demo.launch(
        server_name=config.host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        theme=theme(),
        css_paths=[STATIC / "style.css", STATIC / "blind.css"],
        head=f"<style>{viewer.style()}</style>",  # gradio drops the container queries of its own css
        allowed_paths=[str(config.runs.resolve())],
        blocked_paths=[str(path.resolve()) for path in (*config.checkpoints, config.runs / eta.FILE)],
        auth=list(config.auth) or None,
        mcp_server=config.mcp,
        max_threads=40 + config.limits.queue,  # a page that waits holds one
        enable_monitoring=False,
        run_history=False,
        footer_links=["api"],
        ssr_mode=False,
    )
    print(f"Comparer is at {url}  (Ctrl-C stops it)", flush=True)
    threading.Thread(target=prepare, name="comparer-imports", daemon=True).start()
    demo.block_thread()


def theme() -> gr.themes.Base:
    """Return the page's theme; it loads no external font, and its texts have enough contrast (WCAG AA)."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
    base = gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=fonts, radius_size="md")
    return base.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        color_accent="*primary_700",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
    )


def check(config: Config) -> None:
    """Create the runs folder, and check that the address belongs to this machine.

    Raises:
        ComparerError: the folder cannot be created, or the address is invalid.
    """
    try:
        config.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ComparerError(f"The runs folder '{config.runs}' cannot be created: {error.strerror}.") from error
    try:
        kind, *_, address = socket.getaddrinfo(config.host.strip("[]"), 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a host name"
        raise ComparerError(f"'{quote(config.host)}' is not an address to listen on: {why}.") from error


def free_port(host: str, wanted: int, tries: int = 100) -> int:
    """Return the first port from ``wanted`` on that is not in use."""
    for port in range(wanted, min(wanted + tries, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return wanted  # gradio says what is wrong with it
