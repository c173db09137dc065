"""Albums from elsewhere: a folder, ZIP files, Google Takeout, Lychee, Piwigo, or an export of ours.

A `source` says what files there are and opens them; a reader (`plain`, `takeout`, `lychee`, `piwigo`, `own`) makes a
`plan` of them; `run` carries the plan out through the same intake as any upload. Nothing is ever unpacked to a path
from an archive: a path only names an entry.
"""
