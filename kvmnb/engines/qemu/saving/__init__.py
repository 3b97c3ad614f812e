"""A guest's state kept the classic way: in a file, or in its own disks."""
