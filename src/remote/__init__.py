"""From here to a GPU machine: what a task needs by rsync, a task that outlives the connection, its results back.

This room knows tasks only by their words, and what it carries only as files:

    order.py      the words of a task: what they are on the host, and which files it needs there
    hosts.py      a host, as Fabric connects to it, and commands there; errors in one line
    copying.py    rsync to the host and back, through the same host, port, user and key
    job.sh        what runs on the host: one task at a time, its log and its exit code
    visit.py      one host: sent, started or found at work, followed, brought back
    visits.py     one host or several
"""
