"""A tenant in a box: a BagIt bag in a ZIP file with every original, what is known
of it, and pages that open offline.
"""
