"""The embedded engine: QEMU itself, as processes of the user's own."""
