"""When fleets grow and shrink: the policies (`policy.py`), and a day of traffic that tries them (`simulate.py`)."""
