"""What an installation costs a month: prices that the operator edits (`prices.toml`), and their table (`table.py`)."""
