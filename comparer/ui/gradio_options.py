"""Options that many components and handlers of the page share."""

from typing import Any

PRIVATE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


PLAIN: dict[str, Any] = {"apply_default_css": False, "padding": False}
