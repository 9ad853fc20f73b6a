"""Runs of a workspace: listing, annotations, members, exports."""
