"""Domain XML by libvirt's documentation ("Domain XML format"), a part of it each.

Names, paths and numbers are made up.
"""

from __future__ import annotations

__all__ = ["DISK", "DOCUMENTED", "OS", "Q35", "domain"]

OS = "<type arch='x86_64' machine='pc'>hvm</type>"
Q35 = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type>"
DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    "<source file='/images/a.qcow2'/><target dev='vda' bus='virtio'/></disk>"
)
_BALLOON = "<memballoon model='virtio'/>"


def domain(
    devices: str = "",
    *,
    os: str = OS,
    more: str = "",
    features: str = "<acpi/><apic/>",
    top: str = " type='kvm'",
    osattr: str = "",
) -> str:
    return (
        f"<domain{top}><name>guest</name><memory unit='KiB'>524288</memory>"
        f"<currentMemory unit='KiB'>524288</currentMemory>{more}<os{osattr}>{os}</os>"
        f"<features>{features}</features><devices>{devices}{_BALLOON}</devices></domain>"
    )


def _disk(text: str, *, kind: str = "file", device: str = "disk") -> str:
    return domain(f"<disk type='{kind}' device='{device}'>{text}</disk>")


def _nic(text: str, kind: str) -> str:
    return domain(
        f"<interface type='{kind}'><mac address='52:54:00:1a:2b:3c'/>{text}"
        "<model type='virtio'/></interface>"
    )


DOCUMENTED = {
    "a kernel of the host's": domain(
        os=OS + "<kernel>/boot/vmlinuz</kernel><initrd>/boot/initrd</initrd>"
        "<cmdline>console=ttyS0 ks=http://example.com/os/</cmdline>"
    ),
    "firmware by its file": domain(
        os=Q35 + "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
        "<nvram>/var/lib/libvirt/nvram/guest_VARS.fd</nvram><boot dev='hd'/>"
    ),
    "firmware by its kind": domain(os=Q35 + "<boot dev='hd'/>", osattr=" firmware='efi'"),
    "secure boot by its feature": domain(
        os=Q35 + "<firmware><feature enabled='yes' name='secure-boot'/>"
        "<feature enabled='yes' name='enrolled-keys'/></firmware>",
        osattr=" firmware='efi'",
        features="<acpi/><apic/><smm state='on'/>",
    ),
    "boot order and menu": domain(
        DISK,
        os=OS + "<boot dev='hd'/><boot dev='cdrom'/><bootmenu enable='yes' timeout='3000'/>"
        "<smbios mode='sysinfo'/><bios useserial='yes' rebootTimeout='0'/>",
        more="<sysinfo type='smbios'><bios><entry name='vendor'>LENOVO</entry></bios>"
        "<system><entry name='manufacturer'>Fedora</entry></system></sysinfo>",
    ),
    "processors apart": domain(
        more="<vcpu placement='static' cpuset='1-4,6' current='1'>2</vcpu><iothreads>4</iothreads>"
        "<cputune><vcpupin vcpu='0' cpuset='1-4'/><emulatorpin cpuset='1-3'/><shares>2048</shares>"
        "<period>1000000</period><quota>-1</quota></cputune>"
    ),
    "memory apart": domain(
        more="<memoryBacking><hugepages/><nosharepages/><locked/></memoryBacking>"
        "<memtune><hard_limit unit='G'>1</hard_limit></memtune>"
        "<numatune><memory mode='strict' nodeset='1-4,^3'/></numatune>"
        "<blkiotune><weight>800</weight></blkiotune>"
        "<resource><partition>/virtualmachines/production</partition></resource>"
    ),
    "a model with features": domain(
        more="<vcpu>4</vcpu><cpu match='exact'><model fallback='allow'>core2duo</model>"
        "<vendor>Intel</vendor><topology sockets='1' dies='1' cores='2' threads='2'/>"
        "<cache level='3' mode='emulate'/><feature policy='disable' name='lahf_lm'/></cpu>"
    ),
    "the host's model": domain(
        more="<cpu mode='host-model' check='partial'><model fallback='forbid'/></cpu>"
    ),
    "two nodes": domain(
        more="<vcpu>4</vcpu><cpu mode='host-passthrough' migratable='off'><numa>"
        "<cell id='0' cpus='0-1' memory='262144' unit='KiB'/>"
        "<cell id='1' cpus='2-3' memory='262144' unit='KiB'/></numa></cpu>"
    ),
    "events and power": domain(
        more="<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>"
        "<on_crash>restart</on_crash><on_lockfailure>poweroff</on_lockfailure>"
        "<pm><suspend-to-disk enabled='no'/><suspend-to-mem enabled='yes'/></pm>"
    ),
    "every feature": domain(
        features="<pae/><acpi/><apic/><hap/><privnet/><kvm><hidden state='on'/></kvm>"
        "<pvspinlock state='on'/><ioapic driver='qemu'/><vmcoreinfo state='on'/>"
    ),
    "a clock that varies": domain(
        more="<clock offset='variable' adjustment='3600' basis='utc'>"
        "<timer name='rtc' tickpolicy='catchup' track='guest'>"
        "<catchup threshold='123' slew='120' limit='10000'/></timer>"
        "<timer name='pit' tickpolicy='delay'/></clock>"
    ),
    "performance events": domain(more="<perf><event name='cmt' enabled='yes'/></perf>"),
    "a disk with everything": _disk(
        "<driver name='qemu' type='raw' cache='none' io='native' discard='unmap' queues='4' "
        "error_policy='stop' rerror_policy='report' iothread='1'/><source file='/images/a.img'/>"
        "<target dev='vda' bus='virtio'/><iotune><total_bytes_sec>10000000</total_bytes_sec>"
        "<read_iops_sec>400000</read_iops_sec></iotune><serial>WD-WMAP9A966149</serial>"
        "<blockio logical_block_size='512' physical_block_size='4096'/><boot order='1'/>"
    ),
    "a disk of NBD's": _disk(
        "<driver name='qemu' type='raw'/><source protocol='nbd' name='x'>"
        "<host name='192.0.2.1' port='7000'/></source><target dev='vda' bus='virtio'/>",
        kind="network",
    ),
    "a disk of Ceph's": _disk(
        "<driver name='qemu' type='raw'/><auth username='myuser'><secret type='ceph' "
        "usage='mypassid'/></auth><source protocol='rbd' name='pool/image'><host name='mon1' "
        "port='6321'/><host name='mon2' port='6322'/></source><target dev='vdb' bus='virtio'/>",
        kind="network",
    ),
    "a disk by iSCSI": _disk(
        "<driver name='qemu' type='raw'/><source protocol='iscsi' "
        "name='iqn.2013-07.com.example:iscsi-nopool/2'><host name='example.com' port='3260'/>"
        "</source><target dev='vdc' bus='virtio'/>",
        kind="network",
    ),
    "a CD-ROM over HTTPS": _disk(
        "<driver name='qemu' type='raw'/><source protocol='https' name='/a.iso'>"
        "<host name='example.com' port='443'/></source><target dev='hdc' bus='ide' tray='open'/>"
        "<readonly/>",
        kind="network",
        device="cdrom",
    ),
    "a block device": _disk(
        "<driver name='qemu' type='raw'/><source dev='/dev/vg/guest'/>"
        "<target dev='sda' bus='sata'/>",
        kind="block",
    ),
    "a volume of a pool": _disk(
        "<driver name='qemu' type='qcow2'/><source pool='default' volume='a.qcow2'/>"
        "<target dev='vda' bus='virtio'/>",
        kind="volume",
    ),
    "a LUN of the host's": _disk(
        "<driver name='qemu' type='raw'/><source dev='/dev/sda'/><target dev='sda' bus='scsi'/>",
        kind="block",
        device="lun",
    ),
    "a chain of images": _disk(
        "<driver name='qemu' type='qcow2'/><source file='/images/top.qcow2'/>"
        "<backingStore type='file'><format type='qcow2'/><source file='/images/base.qcow2'/>"
        "<backingStore/></backingStore><target dev='vda' bus='virtio'/><transient/>"
    ),
    "an image under LUKS": _disk(
        "<driver name='qemu' type='raw'/><source file='/images/secret.luks'><encryption "
        "format='luks'><secret type='passphrase' uuid='f52a81b2-424e-490c-823d-6bd4235bc572'/>"
        "</encryption></source><target dev='vdb' bus='virtio'/>"
    ),
    "a floppy": _disk(
        "<driver name='qemu' type='raw'/><source file='/images/a.flp'/><target dev='fda'/>",
        device="floppy",
    ),
    "an NVMe drive of the host's": _disk(
        "<driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='1'>"
        "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>"
        "<target dev='vda' bus='virtio'/>",
        kind="nvme",
    ),
    "folders by 9p and virtiofs": domain(
        "<filesystem type='mount' accessmode='passthrough'><driver type='path' "
        "wrpolicy='immediate'/><source dir='/srv/a'/><target dir='a'/><readonly/></filesystem>"
        "<filesystem type='mount'><driver type='virtiofs' queue='1024'/><binary "
        "path='/usr/libexec/virtiofsd' xattr='on'><cache mode='always'/></binary>"
        "<source dir='/srv/b'/><target dir='b'/></filesystem>",
        more="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    ),
    "controllers by hand": domain(
        "<controller type='ide' index='0'/><controller type='virtio-serial' index='0' ports='16' "
        "vectors='4'/><controller type='scsi' index='0' model='virtio-scsi'>"
        "<driver iothread='4' queues='8'/></controller>"
        "<controller type='usb' index='0' model='ich9-ehci1'/>"
        "<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>"
    ),
    "devices of the host's": domain(
        "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor "
        "id='0x1234'/><product id='0xbeef'/></source><boot order='2'/></hostdev>"
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "
        "bus='0x06' slot='0x02' function='0x0'/></source><rom bar='on' file='/etc/fake.bin'/>"
        "</hostdev>"
    ),
    "a mediated device": domain(
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on'><source><address "
        "uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"
    ),
    "a SCSI device of the host's": domain(
        "<hostdev mode='subsystem' type='scsi' sgio='filtered' rawio='yes'><source><adapter "
        "name='scsi_host0'/><address bus='0' target='0' unit='0'/></source><readonly/></hostdev>"
    ),
    "redirected USB": domain(
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/>"
        "</redirdev><redirfilter><usbdev class='0x08' vendor='0x1234' allow='yes'/>"
        "<usbdev allow='no'/></redirfilter><graphics type='spice' autoport='yes'/>"
    ),
    "smartcards": domain(
        "<smartcard mode='host-certificates'><certificate>cert1</certificate><certificate>cert2"
        "</certificate><certificate>cert3</certificate></smartcard>"
    ),
    "a network with all": _nic(
        "<source network='default' portgroup='engineering'/><target dev='vnet7'/>"
        "<bandwidth><inbound average='1000' peak='5000' burst='5120'/></bandwidth>"
        "<filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/></filterref>"
        "<link state='down'/><mtu size='1500'/><driver name='vhost' queues='5' "
        "event_idx='off'><host csum='off'/></driver>",
        "network",
    ),
    "a bridge of Open vSwitch": _nic(
        "<source bridge='ovsbr'/><virtualport type='openvswitch'><parameters profileid='menial' "
        "interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport><vlan trunk='yes'>"
        "<tag id='42'/></vlan>",
        "bridge",
    ),
    "macvtap": _nic("<source dev='eth0' mode='bridge'/>", "direct"),
    "a tap with scripts": _nic(
        "<script path='/etc/qemu-ifup-mynet'/><target dev='mytap1' managed='no'/>", "ethernet"
    ),
    "vhost-user": domain(
        "<interface type='vhostuser'><mac address='52:54:00:3b:83:1a'/><source type='unix' "
        "path='/tmp/vhost1.sock' mode='server'/><model type='virtio'/></interface>",
        more="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    ),
    "a user's network": _nic("<ip family='ipv4' address='172.17.2.0' prefix='24'/>", "user"),
    "passt": _nic(
        "<backend type='passt' logFile='/tmp/passt.log'/><portForward proto='tcp'>"
        "<range start='2022' to='22'/></portForward>",
        "user",
    ),
    "a tunnel by UDP": _nic(
        "<source address='127.0.0.1' port='5555'><local address='127.0.0.1' port='5556'/></source>",
        "udp",
    ),
    "a multicast group": _nic("<source address='230.0.0.1' port='5558'/>", "mcast"),
    "a card of the host's": domain(
        "<interface type='hostdev' managed='yes'><mac address='52:54:00:6d:90:02'/><source>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/></source>"
        "</interface>"
    ),
    "input of all kinds": domain(
        "<input type='mouse' bus='usb'/><input type='keyboard' bus='virtio'/>"
        "<input type='tablet' bus='virtio'/><input type='passthrough' bus='virtio'>"
        "<source evdev='/dev/input/event1'/></input>"
    ),
    "screens": domain(
        "<graphics type='vnc' port='5904' sharePolicy='allow-exclusive'><listen type='address' "
        "address='1.2.3.4'/></graphics><graphics type='spice'><listen type='network' "
        "network='rednet'/></graphics><video><model type='vga' vram='16384' heads='1'>"
        "<acceleration accel3d='no'/></model></video>"
    ),
    "SPICE with channels": domain(
        "<graphics type='spice' port='-1' tlsPort='-1' autoport='yes'><channel name='main' "
        "mode='secure'/><image compression='auto_glz'/><streaming mode='filter'/>"
        "<clipboard copypaste='no'/><mouse mode='client'/></graphics>"
        "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
        "<video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' "
        "primary='yes'/></video><sound model='ich6'><codec type='micro'/></sound>"
    ),
    "character devices": domain(
        "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='2445'/>"
        "<protocol type='telnet'/><target port='0'/></serial>"
        "<serial type='file'><source path='/tmp/file'><seclabel model='dac' relabel='no'/></source>"
        "<target port='1'/></serial><parallel type='null'><target port='0'/></parallel>"
        "<console type='pty'><target type='virtio' port='0'/></console>"
        "<channel type='unix'><source mode='bind' path='/tmp/guestfwd'/><target type='guestfwd' "
        "address='10.0.2.1' port='4600'/></channel>"
    ),
    "a serial port with a log": domain(
        "<serial type='pty'><log file='/var/log/guest.log' append='off'/><target "
        "type='isa-serial' port='0'><model name='isa-serial'/></target></serial>"
    ),
    "sound": domain(
        "<sound model='ac97'><audio id='1'/></sound><audio id='1' type='alsa'>"
        "<input dev='default'/></audio>"
    ),
    "watchdog, entropy, panic": domain(
        "<watchdog model='i6300esb' action='poweroff'/><rng model='virtio'><rate period='2000' "
        "bytes='1234'/><backend model='random'>/dev/urandom</backend></rng>"
        "<panic model='isa'><address type='isa' iobase='0x505'/></panic>"
    ),
    "an emulated TPM": domain(
        "<tpm model='tpm-crb'><backend type='emulator' version='2.0' persistent_state='yes'/></tpm>"
    ),
    "shared memory, vsock, IOMMU": domain(
        "<shmem name='my_shmem0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"
        "<vsock model='virtio'><cid auto='no' address='3'/></vsock><iommu model='intel'><driver "
        "intremap='on'/></iommu>",
        os=Q35,
        features="<acpi/><apic/><ioapic driver='qemu'/>",
    ),
    "memory as a device": domain(
        "<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target>"
        "</memory>",
        more="<maxMemory slots='16' unit='KiB'>1524288</maxMemory><vcpu>2</vcpu><cpu><numa><cell "
        "id='0' cpus='0-1' memory='524288' unit='KiB'/></numa></cpu>",
    ),
    "labels": domain(
        more="<seclabel type='static' model='selinux' relabel='yes'>"
        "<label>system_u:system_r:svirt_t:s0:c392,c662</label></seclabel>"
    ),
    "an encrypted guest": domain(
        more="<launchSecurity type='sev'><policy>0x0001</policy><cbitpos>47</cbitpos>"
        "<reducedPhysBits>1</reducedPhysBits></launchSecurity>"
    ),
    "QEMU's own words": (
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>guest"
        "</name><memory unit='MiB'>512</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        "<devices/><qemu:commandline><qemu:arg value='-d'/><qemu:arg value='guest_errors'/>"
        "</qemu:commandline></domain>"
    ),
}
