"""The machine: devices, disk, processes, settings."""
