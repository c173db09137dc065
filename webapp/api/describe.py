"""`python -m webapp.api.describe`: the description as JSON, without a database or a server."""

import json
import sys

from flask import Flask

from webapp.api import VIEWS, description


def main() -> None:
    assert VIEWS  # Importing them has mounted the operations.
    app = Flask(__name__)
    description.init_app(app)
    json.dump(description.of(app), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
