"""Model families: one file states a family (``base.Family``), and ``registry.FAMILIES`` lists them all."""
