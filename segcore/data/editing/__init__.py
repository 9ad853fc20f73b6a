"""Editing masks: every version kept, who changed what, and the way back."""
