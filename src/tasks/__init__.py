"""The tasks: each reads its flags, calls one function and says what was made, where it lies and what comes next.

Everything heavy is imported inside the tasks, so that listing them takes no time.
"""
