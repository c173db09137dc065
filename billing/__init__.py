"""Usage to invoice."""
