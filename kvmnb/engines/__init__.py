"""Who runs it: one seam, and one engine behind it for each way of running guests."""
