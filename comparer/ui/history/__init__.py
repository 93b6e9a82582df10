"""The History tab: earlier runs."""
