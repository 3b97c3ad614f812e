"""QEMU's devices, the front halves: what the guest sees, and the keys that they take."""

from __future__ import annotations

from kvmnb.explain.entry import entries

__all__ = ["DEVICES", "DEVICE_KEYS"]

DEVICES = entries(
    """
virtio-blk-pci, virtio-blk-device | A virtio disk; its bytes are in {drive}. | | virtio-pages
ide-hd | An IDE or SATA disk[ at {bus}]; its bytes are in {drive}. | | devices
ide-cd | An IDE or SATA CD-ROM drive[ at {bus}][; in it is {drive}]. | | devices
scsi-hd | A SCSI disk[ at {bus}]; its bytes are in {drive}. | | devices
scsi-cd | A SCSI CD-ROM drive[ at {bus}][; in it is {drive}]. | | devices
nvme | An NVMe disk; its bytes are in {drive}. | | nvme
sd-card | An SD card; its bytes are in {drive}. | | devices
usb-bot | A USB mass-storage device that a disk is behind. | | usb-pages
usb-storage | A USB stick; its bytes are in {drive}. | | usb-pages
floppy | A floppy drive[; in it is {drive}]. | | devices
isa-fdc | A controller of floppy drives. | | devices
ich9-ahci, ahci | A SATA controller with six ports. | | devices
sdhci-pci | A slot for SD cards. | | devices
virtio-scsi-pci, virtio-scsi-device | A virtio SCSI controller. | | virtio-pages
lsi53c895a, lsi | An LSI 53C895A SCSI controller. | | devices
megasas | An LSI MegaRAID SAS 1078 controller. | | devices
mptsas1068 | An LSI SAS 1068 controller. | | devices
pvscsi | VMware's paravirtual SCSI controller. | | devices
virtio-net-pci, virtio-net-device | A virtio network card[ with address {mac}][; its frames go to
    {netdev}]. | | net-pages
e1000 | An Intel 82540EM network card[ with address {mac}][; its frames go to {netdev}]. | |
    net-pages
e1000-82544gc | An Intel 82544GC network card[ with address {mac}][; its frames go to {netdev}]. |
    | net-pages
e1000-82545em | An Intel 82545EM network card[ with address {mac}][; its frames go to {netdev}]. |
    | net-pages
e1000e | An Intel 82574L network card[ with address {mac}][; its frames go to {netdev}]. | |
    net-pages
igb | An Intel 82576 network card[ with address {mac}][; its frames go to {netdev}]. | | net-pages
rtl8139 | A Realtek RTL8139 network card[ with address {mac}][; its frames go to {netdev}]. | |
    net-pages
pcnet | An AMD PCnet network card[ with address {mac}][; its frames go to {netdev}]. | | net-pages
vmxnet3 | VMware's paravirtual network card[ with address {mac}][; its frames go to {netdev}]. | |
    net-pages
ne2k_pci, ne2k_isa | An NE2000 network card[ with address {mac}][; its frames go to {netdev}]. | |
    net-pages
i82550, i82551, i82557a, i82557b, i82557c, i82558a, i82558b, i82559a, i82559b, i82559c, i82559er,
    i82562, i82801 | An Intel PRO/100 network card[ with address {mac}][; its frames go to
    {netdev}]. | | net-pages
tulip | A DEC Tulip network card[ with address {mac}][; its frames go to {netdev}]. | | net-pages
usb-net | A USB network card[ with address {mac}][; its frames go to {netdev}]. | | net-pages
isa-serial | A serial port, ttyS in Linux; its other end is {chardev}. | | devices
pci-serial | A serial port on PCI; its other end is {chardev}. | | devices
usb-serial | A serial port on USB; its other end is {chardev}. | | usb-pages
isa-parallel | A parallel port; its other end is {chardev}. | | devices
virtio-serial-pci, virtio-serial-device | The controller that virtio ports and consoles are
    plugged into. | | virtio-pages
virtserialport | A virtio port that the guest finds by the name {name}; its other end is
    {chardev}. | | virtio-pages
virtconsole | A virtio console, hvc in Linux; its other end is {chardev}. | | virtio-pages
virtio-balloon-pci, virtio-balloon-device | A balloon, by which the guest gives memory back to the
    host. | none | virtio-pages
virtio-rng-pci, virtio-rng-device | A source of random numbers, taken from {rng}. | none |
    virtio-pages
vmgenid | Tells the guest's kernel when it has been copied or gone back in time. | none | devices
VGA | A standard VGA card. | | devices
cirrus-vga | A Cirrus Logic GD5446 card. | | devices
vmware-svga | VMware's SVGA card. | | devices
qxl-vga, qxl | A QXL card, made for SPICE. | | devices
virtio-vga, virtio-gpu-pci, virtio-gpu-device | A virtio graphics card. | | virtio-pages
virtio-vga-gl, virtio-gpu-gl-pci, virtio-gpu-gl-device | A virtio graphics card whose 3D the
    host's GPU draws. | | virtio-pages
bochs-display | A plain framebuffer without VGA's past. | | devices
secondary-vga | A further VGA card. | | devices
ramfb | A framebuffer in the guest's own memory, set up by the firmware. | | devices
qemu-xhci, nec-usb-xhci | A USB 3 controller. | none | usb-pages
usb-ehci, ich9-usb-ehci1 | A USB 2 controller. | none | usb-pages
piix3-usb-uhci, piix4-usb-uhci, ich9-usb-uhci1, ich9-usb-uhci2, ich9-usb-uhci3 | A USB 1
    controller. | none | usb-pages
usb-tablet | A USB tablet, which tells where the pointer is, so that it stays in step. | a PS/2
    mouse | usb-pages
usb-mouse | A USB mouse, which tells how it was moved. | a PS/2 mouse | usb-pages
usb-kbd | A USB keyboard. | a PS/2 keyboard | usb-pages
virtio-tablet-pci, virtio-tablet-device | A virtio tablet, which tells where the pointer is. | a
    PS/2 mouse | virtio-pages
virtio-mouse-pci, virtio-mouse-device | A virtio mouse. | a PS/2 mouse | virtio-pages
virtio-keyboard-pci, virtio-keyboard-device | A virtio keyboard. | a PS/2 keyboard | virtio-pages
AC97 | An Intel 82801AA AC97 sound card[; {audiodev} plays it]. | none | devices
ES1370 | An Ensoniq AudioPCI sound card[; {audiodev} plays it]. | none | devices
sb16 | A Sound Blaster 16[; {audiodev} plays it]. | none | devices
intel-hda | An Intel HD Audio controller of the ICH6. | none | devices
ich9-intel-hda | An Intel HD Audio controller of the ICH9. | none | devices
hda-duplex, hda-output, hda-micro | The codec behind an HD Audio controller[; {audiodev} plays
    it]. | none | devices
usb-audio | A USB sound card[; {audiodev} plays it]. | none | usb-pages
virtio-sound-pci | A virtio sound card[; {audiodev} plays it]. | none | virtio-pages
i6300esb | An Intel 6300ESB watchdog on PCI. | none | devices
ib700 | An iBase 700 watchdog on ISA. | none | devices
tpm-tis, tpm-crb | A trusted platform module; behind it is {tpmdev}. | none | devices
virtio-9p-pci, virtio-9p-device | A folder of the host that the guest mounts as {mount_tag}. |
    none | virtio-pages
vhost-user-fs-pci, vhost-user-fs-device | A folder of the host that the guest mounts as {tag},
    served by virtiofsd. | none | virtio-pages
vhost-vsock-pci, vhost-vsock-device | Sockets between host and guest without a network[; the guest
    is {guest-cid}]. | none | virtio-pages
vfio-pci | [The host's PCI device {host}][The host's mediated device {sysfsdev}], given to the
    guest whole. | none | devices
usb-host | A USB device of the host[, {vendorid}:{productid}][, at bus {hostbus}, device
    {hostaddr}], given to the guest. | none | usb-pages
pvpanic, pvpanic-pci | Tells the host when the guest's kernel panics. | none | devices
pcie-root-port, pci-bridge | A further slot for devices. | none | devices
virtio-iommu-pci, intel-iommu | An IOMMU. | none | devices
"""
)

DEVICE_KEYS = entries(
    """
id | what the monitor calls it: {value}
drive | its back half, a block node: {value}
chardev | its back half, a chardev: {value}
netdev | its back half, a netdev: {value}
audiodev | its back half, an audiodev: {value}
tpmdev | its back half, a tpmdev: {value}
fsdev | its back half, a folder: {value}
rng | its back half, a generator: {value}
bus | what it is plugged into: {value} | the next free place
addr | its place on the PCI bus: {value} | the next free
multifunction | further functions share its slot: {value} | off
unit | its place on that cable: {value} | the next free
scsi-id | its number on the SCSI bus: {value} | the next free
lun | its logical unit: {value} | 0
channel | its channel on the SCSI bus: {value} | 0
port | its port on the bus: {value} | the next free
nr | its number on the bus: {value} | the next free
index | its number among ports of its kind: {value} | the next free
iobase | its first I/O port: {value}
irq | its interrupt: {value}
write-cache | {value?on:the guest sees a write cache and flushes it;off:the guest sees no write
    cache} | auto
serial | the number that the guest can know it by: {value} | none
bootindex | its turn among what the firmware tries: {value} | after all that have one
share-rw | other guests may have it open too: {value} | off
physical_block_size, logical_block_size | its blocks, in bytes: {value} | 512
discard_granularity, opt_io_size, min_io_size | what it tells of sizes, in bytes: {value}
rotation_rate | how fast it turns: {value} | not told
num-queues, queues | request queues: {value} | one a vCPU
removable | the guest sees it as removable: {value} | off
drive-type, fdtypeA, fdtypeB, fallback | which kind of floppy drive: {value} | auto
driveA, driveB | the disk in drive A or B: {value}
mac | the card's own address: {value} | 52:54:00:12:34:56 and up
mq | several queues: {value} | off
vectors | MSI-X vectors: {value} | as many as it needs
mtu, host_mtu | the largest frame that the guest is told, in bytes: {value} | not told
romfile | the boot ROM: {value}
rombar | whether the boot ROM is seen: {value} | 1
name | how the guest finds it: {value}
max_ports | how many ports it takes: {value} | 31
guest-stats-polling-interval | every how many seconds the guest is asked for its memory
    statistics: {value} | 0, never
deflate-on-oom | the guest takes memory back before it kills a process: {value} | off
free-page-reporting | the guest tells which pages it does not use: {value} | off
max-bytes | at most so many bytes in a period: {value} | no limit
period | of so many ms: {value} | 65536
guid | the generation: {value}
vgamem_mb, ram_size_mb, vram_size_mb, vgamem | its memory, in MiB: {value}
vgamem_mib | its memory, in MiB: {value}
max_outputs, max-outputs | screens that can be plugged in: {value} | 1
ram_size, vram_size | its memory, in bytes: {value}
mount_tag, tag | what the guest mounts it by: {value}
guest-cid | the guest's address: {value}
host | the device of the host: {value}
sysfsdev | the device of the host, by its folder in sysfs: {value}
vendorid, productid | what it is: {value}
hostbus, hostaddr, hostport, hostdevice | where it is plugged in: {value}
speed, duplex | what the card tells of its link: {value}
rx_queue_size, tx_queue_size | how many frames a queue holds: {value} | 256
packed, iommu_platform, disable-legacy, disable-modern, ats, page-per-vq | how it speaks virtio:
    {value}
csum, gso, guest_csum, guest_tso4, guest_tso6, guest_ufo, guest_ecn, host_tso4, host_tso6,
    host_ufo, host_ecn, mrg_rxbuf, ctrl_vq, ctrl_rx, ctrl_vlan, status, event_idx, indirect_desc,
    any_layout | a feature of virtio: {value} | on
ioeventfd, x-data-plane, iothread | how the host serves it: {value}
romsize, edid, xres, yres, refresh_rate, xmax, ymax | what it tells of itself: {value}
x-pci-vendor-id, x-pci-device-id | how it names itself: {value}
p2, p3 | further USB ports, for 2.0 and 3.0: {value}
masterbus, firstport | the USB 2 controller it belongs to: {value}
werror, rerror | what follows an error of the host's disk: {value}
mdev, display | how the mediated device is shown: {value}
slot, chassis | its number among the slots: {value}
cad | its number behind the controller: {value} | the next free
"""
)
