"""The left column: controls of the request."""
