"""The pages of a review: records of runs and studies in, HTML text out.

A page is one file without any request: styles, script and pictures stand in it. The same records give the same text, so
nothing in it says when it was made. Whatever comes from a file is escaped; bytes that are no text become U+FFFD.

`records` says what a page is made of, `words` what its metrics mean, `tables` which rows it has, `rendering` makes it.
"""
