"""Background jobs: each app registers them in `tasks.py`, a worker or `manage.py tick` runs them.

What must not be lost is a row. A message in the queue only wakes a worker: lost messages are made up for
within a minute, because each job looks for the rows that are due. So jobs are idempotent and claim rows.
"""
