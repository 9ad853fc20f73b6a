"""The queue of runs: jobs, order, stopping, crash recovery."""
