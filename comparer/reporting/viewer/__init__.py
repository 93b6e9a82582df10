"""The compare viewer: ``viewer.data`` and ``viewer.html`` for the page and the report."""
