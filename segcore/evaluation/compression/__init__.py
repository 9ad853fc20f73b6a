"""The label-compression what-if: which labels to merge, what it gains and what it loses."""
