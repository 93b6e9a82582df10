"""Start Comparer's page: ``python app.py``. Importing it builds the page as ``demo``, from the environment."""

import argparse

from comparer.options import read_arguments
from comparer.ui import app, serve

parser = argparse.ArgumentParser(description="Serve Comparer's page.")
config = read_arguments(parser, None if __name__ == "__main__" else [])
demo = app.page(config)

if __name__ == "__main__":
    serve.launch(demo, config)
