"""The tabs of the data set page, one file each; every ``show`` draws one."""
