"""Image files, archives and uploads: everything that reads or checks bytes from outside."""
