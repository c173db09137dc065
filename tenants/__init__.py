"""The domain kernel: tenants, people, albums, sharing, usage. Imports nothing above it."""
