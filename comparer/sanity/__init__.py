"""Is a checkpoint sane? A few pictures of it, measured, scored and judged."""
