"""QEMU's back halves: what the host provides for the guest's devices, and the keys they take."""

from __future__ import annotations

from kvmnb.explain.entry import entries

__all__ = ["BACKS", "BACK_KEYS"]

BACKS = {
    "-blockdev": entries(
        """
file | The bytes are in the file {filename/}. | | block
host_device | The bytes are on the host's block device {filename}. | | block
host_cdrom | The bytes are on the disc in the host's drive {filename}. | | block
qcow2 | They are read as qcow2, a format that grows as it is written. | | block
raw | They are read as they are: raw. | | block
vmdk | They are read as VMware's vmdk. | | block
vdi | They are read as VirtualBox's vdi. | | block
vhdx | They are read as Hyper-V's vhdx. | | block
vpc | They are read as Virtual PC's vpc, also called VHD. | | block
qed | They are read as qed, an old format of QEMU's. | | block
vvfat | The folder {dir} as a disk with a FAT file system. | | images
nbd | A server for NBD has the bytes[: {server.host}][: the socket {server.path}][, export
    {export}]. | | block
http, https | A web server has the bytes: {url} | | block
ftp, ftps | An FTP server has the bytes: {url} | | block
ssh | A server reached by SSH has the bytes: {server.host}, {path}. | | block
iscsi | An iSCSI target has the bytes: {target}[ at {portal}]. | | block
rbd | Ceph has the bytes: image {image} of pool {pool}. | | block
gluster | GlusterFS has the bytes: {path} on volume {volume}. | | block
nvme | The bytes are on the host's NVMe disk {device}, driven by QEMU itself. | | block
throttle | The bytes pass by no faster than a limit. | | block
"""
    ),
    "-netdev": entries(
        """
user | Frames go to QEMU's own little network, which hides the guest behind this host's address
    and needs no rights. | none | net
tap | Frames go to a tap interface of the host[, {ifname}][, open as descriptor {fd}]. | none | net
bridge | Frames go to the host's bridge {br}, by a tap that QEMU's helper makes. | br0 | net
socket | Frames go to other QEMU processes[, who connect to {listen}][, by a connection to
    {connect}][, by the multicast group {mcast}][, by UDP to {udp}]. | | net
stream | Frames go as a stream to one other process[ at {addr.host}][ at {addr.path}]. | | net
dgram | Frames go as datagrams to others[ at {remote.host}][ at {remote.path}]. | | net
vde | Frames go to a port of a VDE switch[, {sock}]. | | net
vhost-user | Frames go to a switch in another process, by shared memory. | | net
hubport | Frames go to hub {hubid} of QEMU's own. | | net
vhost-vdpa | Frames go to hardware that speaks virtio. | | net
passt | Frames go to passt, a process that acts for the guest on this host's network. | | net
l2tpv3 | Frames go through an L2TPv3 tunnel. | | net
"""
    ),
    "-chardev": entries(
        """
socket | The other end is [the Unix socket {path/}][{host}:{port}]. | | char
null | What is written is lost, and nothing is ever read. | | char
file | What the guest writes goes to the file {path/}. | | char
pipe | The other end is the pipe {path}. | | char
serial | The other end is the host's serial port {path}. | | char
tty | The other end is the host's serial port {path}. | | char
parallel, parport | The other end is the host's parallel port {path}. | | char
pty | The other end is a pseudo-terminal of the host. | | char
stdio | The other end is the terminal that QEMU was started in. | | char
udp | The other end gets UDP datagrams at {host}:{port}. | | char
spicevmc | The other end is SPICE's own channel {name}. | | char
spiceport | The other end is SPICE's port {name}. | | char
vc | The other end is a virtual console. | | char
ringbuf, memory | What the guest writes is kept in memory. | | char
msmouse | A serial mouse. | | char
braille | A braille display. | | char
"""
    ),
    "-object": entries(
        """
rng-builtin | Random numbers come from QEMU's own generator. | | object
rng-random | Random numbers come from the host's {filename}. | | object
rng-egd | Random numbers come from a daemon. | | object
memory-backend-ram | {size} of the host's anonymous memory. | | object
memory-backend-memfd | {size} of memory in a file that has no name[, of huge pages: {hugetlb}]. |
    | object
memory-backend-file | {size} of memory in the file {mem-path}. | | object
secret | A secret, such as a password, that other parts name. | | object
iothread | A thread of its own for input and output. | | object
throttle-group | A limit that several disks share. | | object
tls-creds-x509, tls-creds-anon, tls-creds-psk | Keys and certificates for TLS. | | object
filter-dump | Frames of {netdev} are written to {file}. | | object
"""
    ),
    "-audiodev": entries(
        """
none | Sound is not played. | | std
alsa | Sound is played by ALSA. | | std
oss | Sound is played by OSS. | | std
pa | Sound is played by PulseAudio. | | std
pipewire | Sound is played by PipeWire. | | std
jack | Sound is played by JACK. | | std
sdl | Sound is played by SDL. | | std
spice | Sound is played by the SPICE client. | | std
dbus | Sound is played by a listener on D-Bus. | | std
wav | Sound is written to a file. | | std
"""
    ),
    "-tpmdev": entries(
        """
emulator | An emulated TPM, swtpm, reached by {chardev}. | | tpm
passthrough | The host's own TPM {path}. | | tpm
"""
    ),
    "-fsdev": entries(
        """
local | The host's folder {path}, served by QEMU itself. | | block
synth | A folder that is made up, for tests. | | block
"""
    ),
}
"""What stands first in the value of each option of the kind: a driver, a type, a kind."""

BACK_KEYS = entries(
    """
id | what others call it: {value}
-blockdev node-name | what others call it: {value}
-blockdev driver | who reads it: {value}
-blockdev filename | the file: {value}
-blockdev file, -blockdev file.driver | the node under it: {value}
-blockdev cache.direct | {value?on:the host's page cache is passed by;off:the host's page cache is
    used} | off
-blockdev cache.no-flush | {value?on:the guest's flushes are ignored: a crash of the host loses
    data;off:the guest's flushes reach the disk} | off
-blockdev read-only | {value?on:nothing is written;off:it is written to} | off
-blockdev auto-read-only | it becomes read-only where it must: {value} | off
-blockdev discard | blocks that the guest gives up are {value?unmap:freed;ignore:kept} | ignore
-blockdev aio | how the host does its input and output: {value} | threads
-blockdev locking | the file is locked against others: {value} | auto
-blockdev size, -blockdev offset | which part of it: {value}
-blockdev dir | the folder: {value}
-blockdev rw | what the guest writes goes to the folder: {value} | off
-blockdev fat-type | bits of the file allocation table: {value} | 16
-blockdev floppy | it has the size of a floppy: {value} | off
-blockdev label | the name of the volume: {value}
-blockdev server.type, -blockdev server.0.type | the kind of the server's address: {value}
-blockdev server.host, -blockdev server.0.host, -blockdev server.0.port | the server: {value}
-blockdev server.port | its port: {value}
-blockdev server.path, -blockdev server.0.path | its socket: {value}
-blockdev export | what it is called there: {value}
-blockdev path | where it is there: {value}
-blockdev url | where it is: {value}
-blockdev user, -blockdev username | whom to be there: {value}
-blockdev volume | the volume: {value}
-blockdev pool, -blockdev image, -blockdev conf, -blockdev namespace | where it is in Ceph: {value}
-blockdev portal, -blockdev target, -blockdev transport, -blockdev initiator-name | where it is on
    iSCSI: {value}
-blockdev lun | which unit of the target: {value} | 0
-blockdev password-secret | the secret with the password: {value}
-blockdev backing | the node under it: {value}
-blockdev detect-zeroes | zeros that are written become holes: {value} | off
-netdev net | the guest's network: {value} | 10.0.2.0/24
-netdev host | the gateway's address: {value} | the network's second
-netdev dns | the name server's address: {value} | the network's third
-netdev dhcpstart | the first address that is given out: {value} | the network's 15th
-netdev hostname | what the guest is told its name is: {value}
-netdev domainname | what the guest is told its domain is: {value}
-netdev dnssearch | a domain that the guest shall search: {value}
-netdev tftp | a folder that is served by TFTP: {value}
-netdev bootfile | the file that the guest shall start from: {value}
-netdev smb | a folder that is served by SMB: {value}
-netdev hostfwd | a port of the host that leads into the guest: {value}
-netdev guestfwd | an address of the network that leads to the host: {value}
-netdev restrict | the guest reaches nothing outside: {value} | off
-netdev ipv4, -netdev ipv6 | whether the network carries it: {value} | on
-netdev ifname | the tap's name: {value} | tap0 and up
-netdev script | what is run with the tap's name at the start: {value} | /etc/qemu-ifup
-netdev downscript | what is run at the end: {value} | /etc/qemu-ifdown
-netdev fd, -netdev fds | a tap that is open already: {value}
-netdev vhost | the host's kernel moves the frames: {value} | off
-netdev vhostfd, -netdev vhostfds | the kernel's door for it, open already: {value}
-netdev vhostforce | it is used by guests without MSI-X too: {value} | off
-netdev vnet_hdr | frames carry virtio's header: {value} | on where it can be
-netdev queues | pairs of queues: {value} | 1
-netdev sndbuf | how much may wait to be sent: {value} | no limit
-netdev br | the bridge: {value} | br0
-netdev helper | the program that makes the tap: {value} | QEMU's own
-netdev listen, -netdev connect, -netdev mcast, -netdev udp | where: {value}
-netdev localaddr | from where: {value}
-netdev server | it listens: {value} | off
-netdev reconnect, -netdev reconnect-ms | it tries again after so long: {value} | never
-netdev addr.type, -netdev local.type, -netdev remote.type | the kind of address: {value}
-netdev addr.host, -netdev addr.path, -netdev addr.port | where: {value}
-netdev local.host, -netdev local.path, -netdev local.port | its own end: {value}
-netdev remote.host, -netdev remote.path, -netdev remote.port | the other end: {value}
-netdev sock | the switch's folder: {value}
-netdev port | the port of the switch: {value} | any
-netdev group, -netdev mode | who may reach it: {value}
-netdev chardev | by which it is reached: {value}
-netdev hubid | which hub: {value}
-netdev path, -netdev interface | where: {value}
-chardev path | where: {value}
-chardev host | the address: {value}
-chardev port | the port: {value}
-chardev localaddr | its own address: {value} | any
-chardev localport | its own port: {value} | any
-chardev server | it listens: {value} | off
-chardev wait | the guest starts only when somebody is connected: {value} | on
-chardev telnet | it speaks telnet: {value} | off
-chardev websocket | it speaks WebSocket: {value} | off
-chardev reconnect, -chardev reconnect-ms | it tries again after so long: {value} | never
-chardev abstract, -chardev tight | how the socket is named: {value}
-chardev ipv4, -chardev ipv6, -chardev to, -chardev nodelay | how it is reached: {value}
-chardev logfile | a copy of all goes to: {value} | none
-chardev logappend | after what that file holds: {value} | off
-chardev append | after what the file holds: {value} | off
-chardev input-path | what the guest reads: {value}
-chardev name | the channel: {value}
-chardev debug | how much SPICE says: {value} | 0
-chardev mux | several share it: {value} | off
-chardev signal | Ctrl-C ends QEMU: {value} | on
-chardev width, -chardev height, -chardev cols, -chardev rows, -chardev size | its size: {value}
-chardev fd | a socket that is open already: {value}
-object size | how much: {value}
-object filename | the device that it is read from: {value}
-object mem-path | the file, or the folder to make it in: {value}
-object share | others may map it too: {value} | off
-object hugetlb | it is made of huge pages: {value} | off
-object hugetlbsize | of this size: {value} | the host's default
-object prealloc | all of it is taken at the start: {value} | off
-object merge | KSM may merge its pages with like ones: {value} | on
-object dump | core dumps hold it: {value} | on
-object host-nodes, -object policy | on which nodes of the host: {value}
-object discard-data, -object align, -object pmem, -object reserve, -object readonly | how the
    host keeps it: {value}
-object seal | its size is fixed: {value} | on
-object data | what it is: {value}
-object file | the file that it is in: {value}
-object format | how it is written: {value} | raw
-object dir, -object endpoint, -object verify-peer | the certificates: {value}
-object netdev | whose frames: {value}
-audiodev out.mixing-engine, -audiodev in.mixing-engine | QEMU mixes it: {value} | on
-audiodev path, -audiodev server | where: {value}
-audiodev out.frequency, -audiodev in.frequency, -audiodev timer-period | how fast: {value}
-tpmdev chardev | by which it is reached: {value}
-tpmdev path | the device: {value} | /dev/tpm0
-tpmdev cancel-path | where a command is cancelled: {value}
-fsdev path | the folder: {value}
-fsdev security_model | whose the guest's files are on the host: {value}
-fsdev readonly | the guest cannot write: {value} | off
-fsdev multidevs | what of folders that span file systems: {value} | warn
-fsdev writeout | writes reach the disk at once: {value}
-fsdev fmode, -fsdev dmode | the rights of new files: {value}
"""
)
