"""Adapters for one machine: files, SQL, the app itself."""
