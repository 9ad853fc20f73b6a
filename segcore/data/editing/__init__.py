"""Editing masks: every version kept, who changed what, and restoring one."""
