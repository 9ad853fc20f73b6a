"""From the queue to a process: the dispatcher, executors, clusters, warm processes."""
