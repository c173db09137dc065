"""What an installation costs a month: prices that the operator edits (`prices.json`), and a table of them (`table.py`)."""
