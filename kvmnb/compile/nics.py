"""What the words for network cards mean."""

from __future__ import annotations

from kvmnb.errors import Unsupported

__all__ = ["NIC_DEVICES", "NIC_MODELS", "nic_device"]

NIC_MODELS = {
    "virtio": "virtio-net-pci",
    "e1000": "e1000",
    "e1000e": "e1000e",
    "rtl8139": "rtl8139",
    "pcnet": "pcnet",
    "vmxnet3": "vmxnet3",
    "ne2k_pci": "ne2k_pci",
    "i82551": "i82551",
    "i82557b": "i82557b",
    "i82559er": "i82559er",
    "tulip": "tulip",
}
"""The words of ``-net nic,model=`` and the devices they mean today."""

NIC_DEVICES = frozenset(
    {
        *NIC_MODELS.values(),
        *("e1000-82544gc", "e1000-82545em", "igb", "i82550", "i82557a", "i82557c", "i82558a"),
        *("i82558b", "i82559a", "i82559b", "i82559c", "i82562", "i82801", "ne2k_isa"),
    }
)
"""Devices that are network cards, on PCI and on ISA."""


def nic_device(model: str) -> str:
    """Return the device that a NIC model's word means; a device's own name is one too.

    Raises
    ------
    Unsupported   it is neither; the device might be no network card at all
    """
    if model in NIC_MODELS:
        return NIC_MODELS[model]
    if model in NIC_DEVICES:
        return model
    raise Unsupported("qemu", f"nic.model={model!r}", "one of: " + ", ".join(NIC_MODELS))
