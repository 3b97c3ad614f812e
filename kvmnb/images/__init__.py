"""Images: the catalogue, downloads with digests, the tiny guest's builder, qemu-img."""
