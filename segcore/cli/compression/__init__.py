"""The commands of the label-compression what-if: compress and back-off."""
