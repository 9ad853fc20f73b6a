"""What the Train page needs before a run starts: configs, conflicts, suggestions, throughput."""
