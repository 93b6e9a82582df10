"""Requests: ``build.ask`` builds one from typed values, ``restore.restore`` from a file; ``validate.check`` checks it."""
