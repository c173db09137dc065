"""Ports, adapters and settings. Knows storage, queues and clocks; knows no tenant and no album."""
