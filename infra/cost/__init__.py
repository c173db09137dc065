"""What an installation costs a month: prices that the operator edits (`prices.json`), and their table (`table.py`)."""
