"""The installer of the tiny guest: a CD-ROM, and a folder to start from over the network.

``build`` makes both out of the tiny guest's disk, ``cache`` says when. ``initramfs/init`` is what
runs in the guest; ``isolinux.cfg`` and the ``.ipxe`` scripts say what is started.
"""
