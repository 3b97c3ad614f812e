"""Domain XML as ``virsh dumpxml``, virt-manager, GNOME Boxes, nova, oVirt and Vagrant have it.

Each has what is peculiar to it; names, paths and numbers are made up. With those of libvirt's
documentation they are `DOMAINS`.
"""

from __future__ import annotations

from tests.parse.domains_documented import DISK, DOCUMENTED, OS, Q35, domain

__all__ = ["DOMAINS"]

_HYPERV = (
    "<hyperv mode='custom'><relaxed state='on'/><vapic state='on'/>"
    "<spinlocks state='on' retries='8191'/><vpindex state='on'/><runtime state='on'/>"
    "<synic state='on'/><stimer state='on'/><reset state='on'/>"
    "<vendor_id state='on' value='KVM'/><frequencies state='on'/></hyperv>"
)
_TIMERS = (
    "<clock offset='localtime'><timer name='rtc' tickpolicy='catchup'/>"
    "<timer name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>"
    "<timer name='hypervclock' present='yes'/></clock>"
)

DOMAINS = {
    **DOCUMENTED,
    # what runs, as virsh dumpxml has it
    "a running guest of libvirt 1": domain(
        "<emulator>/usr/bin/kvm</emulator><disk type='file' device='disk'><driver name='qemu' "
        "type='raw'/><source file='/images/a.img'/><target dev='hda' bus='ide'/><alias "
        "name='ide0-0-0'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"
        "<interface type='network'><mac address='52:54:00:aa:aa:aa'/><source network='default'/>"
        "<target dev='vnet0'/><alias name='net0'/><address type='pci' domain='0x0000' bus='0x00' "
        "slot='0x03' function='0x0'/></interface><serial type='pty'><source path='/dev/pts/3'/>"
        "<target port='0'/><alias name='serial0'/></serial><console type='pty' tty='/dev/pts/3'>"
        "<source path='/dev/pts/3'/><target type='serial' port='0'/><alias name='serial0'/>"
        "</console><input type='mouse' bus='ps2'/><graphics type='vnc' port='5900' autoport='yes'/>"
        "<video><model type='cirrus' vram='9216' heads='1'/><alias name='video0'/></video>",
        top=" type='kvm' id='4'",
        os="<type arch='x86_64' machine='pc-1.0'>hvm</type><boot dev='hd'/>",
        more="<seclabel type='dynamic' model='apparmor' relabel='yes'><label>libvirt-x</label>"
        "<imagelabel>libvirt-x</imagelabel></seclabel>",
    ),
    "a running guest of today": domain(
        "<emulator>/usr/bin/qemu-system-x86_64</emulator><disk type='file' device='disk'><driver "
        "name='qemu' type='qcow2' discard='unmap'/><source file='/images/a.qcow2' index='1'/>"
        "<backingStore/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/><address "
        "type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></disk><controller "
        "type='usb' index='0' model='qemu-xhci' ports='15'><alias name='usb'/></controller>"
        "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' index='1' "
        "model='pcie-root-port'><model name='pcie-root-port'/><target chassis='1' port='0x10'/>"
        "</controller><channel type='unix'><source mode='bind' "
        "path='/run/libvirt/qemu/channel/4-guest/org.qemu.guest_agent.0'/><target type='virtio' "
        "name='org.qemu.guest_agent.0' state='disconnected'/><alias name='channel0'/></channel>"
        "<input type='tablet' bus='usb'><alias name='input0'/></input><audio id='1' type='none'/>"
        "<watchdog model='itco' action='reset'/>",
        top=" type='kvm' id='12'",
        os=Q35 + "<boot dev='hd'/>",
        more="<vcpu placement='static'>2</vcpu><resource><partition>/machine</partition></resource>"
        "<seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+994</label></seclabel>",
    ),
    # programs
    "virt-manager's Windows 11": domain(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>"
        "<source file='/images/win11.qcow2'/><target dev='sda' bus='sata'/></disk><tpm "
        "model='tpm-crb'><backend type='emulator' version='2.0'/></tpm><graphics type='spice' "
        "autoport='yes'><image compression='off'/></graphics><redirdev bus='usb' type='spicevmc'/>"
        "<redirdev bus='usb' type='spicevmc'/><video><model type='qxl'/></video>"
        "<sound model='ich9'/><channel type='spicevmc'><target type='virtio' "
        "name='com.redhat.spice.0'/></channel><interface type='network'><source network='default'/>"
        "<model type='e1000e'/></interface>",
        os=Q35 + "<loader readonly='yes' secure='yes' type='pflash'>"
        "/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader><nvram template="
        "'/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>/var/lib/libvirt/qemu/nvram/win11_VARS.fd</nvram>",
        features=f"<acpi/><apic/>{_HYPERV}<vmport state='off'/><smm state='on'/>",
        more="<metadata><libosinfo:libosinfo "
        "xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'><libosinfo:os "
        f"id='http://microsoft.com/win/11'/></libosinfo:libosinfo></metadata>{_TIMERS}"
        "<cpu mode='host-passthrough' check='none' migratable='on'/>",
    ),
    "a gamer's Windows": domain(
        "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source><address "
        "domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source><address type='pci' "
        "domain='0x0000' bus='0x05' slot='0x00' function='0x0' multifunction='on'/></hostdev>",
        os=Q35,
        features=f"<acpi/><apic/>{_HYPERV}<kvm><hidden state='on'/></kvm><ioapic driver='kvm'/>",
        more=f"<vcpu>8</vcpu>{_TIMERS}<cpu mode='host-passthrough' check='none'><topology "
        "sockets='1' dies='1' cores='4' threads='2'/><cache mode='passthrough'/><feature "
        "policy='require' name='topoext'/></cpu>",
    ),
    "GNOME Boxes": domain(
        DISK + "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source "
        "file='/home/me/a.iso' startupPolicy='mandatory'/><target dev='hdc' bus='sata'/><readonly/>"
        "</disk><interface type='user'><model type='virtio'/></interface><interface type='bridge'>"
        "<source bridge='virbr0'/><model type='virtio'/></interface><graphics type='spice'><listen "
        "type='none'/><image compression='off'/><gl enable='no'/></graphics><channel "
        "type='spiceport'><source channel='org.spice-space.webdav.0'/><target type='virtio' "
        "name='org.spice-space.webdav.0'/></channel>"
        "<smartcard mode='passthrough' type='spicevmc'/>",
        os=Q35 + "<boot dev='cdrom'/><boot dev='hd'/><bootmenu enable='yes'/>",
        more="<title>Fedora</title><metadata><boxes:gnome-boxes "
        "xmlns:boxes='https://wiki.gnome.org/Apps/Boxes'><os-state>live</os-state>"
        "</boxes:gnome-boxes></metadata>",
    ),
    "OpenStack's nova": domain(
        "<disk type='network' device='disk'><driver name='qemu' type='raw' cache='writeback' "
        "discard='unmap'/><auth username='nova'><secret type='ceph' "
        "uuid='457eb676-33da-42ec-9a8c-9293d545c337'/></auth><source protocol='rbd' "
        "name='vms/a_disk'><host name='192.0.2.4' port='6789'/></source><target dev='vda' "
        "bus='virtio'/></disk><interface type='bridge'><mac address='fa:16:3e:00:00:01'/><source "
        "bridge='qbr01'/><target dev='tap01'/><model type='virtio'/><driver name='vhost' "
        "rx_queue_size='512'/><mtu size='1450'/></interface><serial type='pty'><log "
        "file='/var/lib/nova/console.log' append='off'/><target port='0'/></serial><graphics "
        "type='vnc' port='-1' autoport='yes' listen='0.0.0.0'><listen type='address' "
        "address='0.0.0.0'/></graphics><input type='tablet' bus='usb'/>",
        more="<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
        "<nova:package version='23.0.0'/><nova:name>web</nova:name></nova:instance></metadata>"
        "<cputune><shares>1024</shares></cputune><sysinfo type='smbios'><system><entry "
        "name='manufacturer'>OpenStack Foundation</entry><entry name='product'>OpenStack Nova"
        "</entry></system></sysinfo>",
        os=OS + "<boot dev='hd'/><smbios mode='sysinfo'/>",
    ),
    "oVirt": domain(
        "<disk snapshot='no' type='file' device='disk'><driver name='qemu' type='qcow2' "
        "error_policy='stop' io='threads' cache='none'/><source file='/rhev/a'><seclabel "
        "model='dac' relabel='no'/></source><target dev='sda' bus='scsi'/>"
        "<serial>42af46eb-571c-4aaa-be73-0cca671147e1</serial><alias "
        "name='ua-42af46eb-571c-4aaa-be73-0cca671147e1'/></disk><controller type='scsi' index='0' "
        "model='virtio-scsi'><driver iothread='1'/><alias name='ua-1'/></controller><channel "
        "type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channels/x.ovirt.0'/>"
        "<target type='virtio' name='ovirt-guest-agent.0'/></channel>",
        os="<type arch='x86_64' machine='pc-q35-rhel8.6.0'>hvm</type><smbios mode='sysinfo'/>",
        more="<metadata><ovirt-tune:qos xmlns:ovirt-tune='http://ovirt.org/vm/tune/1.0'/>"
        "<ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'><ovirt-vm:clusterVersion>4.7"
        "</ovirt-vm:clusterVersion></ovirt-vm:vm></metadata><maxMemory slots='16' unit='KiB'>"
        "2097152</maxMemory><vcpu current='2'>16</vcpu><iothreads>1</iothreads><cpu mode='custom' "
        "match='exact'><model>Nehalem</model><topology cores='1' threads='1' sockets='16'/><numa>"
        "<cell id='0' cpus='0-15' memory='524288'/></numa></cpu><clock offset='variable' "
        "adjustment='0'><timer name='rtc' tickpolicy='catchup'/></clock>",
    ),
    "Vagrant": domain(
        DISK.replace("/images/a", "/images/vagrant_default") + "<interface type='network'><mac "
        "address='52:54:00:be:ef:01'/><source network='vagrant-libvirt'/><model type='virtio'/>"
        "</interface><serial type='pty'><target port='0'/></serial><console type='pty'><target "
        "port='0'/></console><graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' "
        "keymap='en-us'/><video><model type='cirrus' vram='16384' heads='1'/></video>",
        more="<description>Source: /home/me/Vagrantfile</description><vcpu>1</vcpu>"
        "<cpu mode='host-model'><model fallback='allow'/></cpu><clock offset='utc'/>",
        features="<acpi/><apic/><pae/>",
    ),
    "a guest moved from Xen": (
        "<domain type='kvm'><name>old</name><memory>524288</memory><vcpu>1</vcpu><os><type "
        "arch='i686'>hvm</type><loader>/usr/lib/xen/boot/hvmloader</loader><boot dev='cdrom'/>"
        "</os><features><pae/><acpi/><apic/></features><clock offset='localtime'/><devices>"
        "<emulator>/usr/lib/xen/bin/qemu-dm</emulator><disk type='file' device='disk'><source "
        "file='/images/old.img'/><target dev='hda'/></disk><graphics type='sdl'/></devices>"
        "</domain>"
    ),
    "a microscopic guest": (
        "<domain type='qemu'><name>m</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>"
        "</domain>"
    ),
}
