"""The pages of a review: records of runs and studies in, HTML text out.

A page is one file that loads nothing: styles, script and pictures are embedded. The same records give the same text, so
a page does not state when it was made. Everything that comes from files is escaped; bytes that are no text become
U+FFFD.

`records` defines what a page shows, `words` its phrases, `cells`, `list_tables` and `run_tables` its tables, `pictures`
its images; `rendering` fills the templates.
"""
