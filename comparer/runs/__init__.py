"""Run folders on disk: ``store`` writes and loads, ``index`` lists and deletes, ``lock`` locks."""
