"""The verbs by which a VM is described, sorted by what they speak of."""
