"""The run folder on disk: status, history, results, annotations, trash."""
