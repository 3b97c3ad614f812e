"""Lines of virt-install's whose guests are compared with those of the real one.

``FILES/`` stands for a folder with ``disk.img`` (raw), ``disk.qcow2``, ``cd.iso`` and a tree
``tree/`` that can be installed from. ``BASE`` is what a line needs, with as little as possible.
"""

from __future__ import annotations

__all__ = ["BARE", "CASES", "WHOLE"]

BARE = (
    "--name t --memory 256 --osinfo detect=off,require=off --virt-type qemu --disk none "
    "--network none --graphics none --import"
)

CASES = (
    "--memory 512,maxmemory=1024",
    "--memory memory=1024,currentMemory=512",
    "--memory 512,maxMemory=2048,maxMemory.slots=3",
    "--memorybacking hugepages=on,hugepages.page0.size=2048,source.type=memfd,access.mode=shared",
    "--memorybacking source.type=memfd,allocation.mode=immediate,locked=on,nosharepages=on",
    "--vcpus 2",
    "--vcpus 2,maxvcpus=4",
    "--vcpus 4,sockets=1,cores=2,threads=2",
    "--vcpus 2,maxvcpus=4,sockets=2",
    "--vcpus sockets=2,cores=2,threads=1",
    "--cpu Haswell,+aes,-vmx",
    "--cpu host-model",
    "--cpu mode=maximum",
    "--cpu qemu64,require=aes,disable=svm,topology.sockets=1,topology.cores=1,topology.threads=1",
    "--memory 512 --vcpus 2 --cpu qemu64,numa.cell0.id=0,numa.cell0.cpus=0,"
    "numa.cell0.memory=262144,numa.cell1.id=1,numa.cell1.cpus=1,numa.cell1.memory=262144",
    "--machine q35",
    "--machine pc",
    "--features acpi=off",
    "--features smm.state=on --machine q35",
    "--clock offset=localtime",
    "--clock offset=utc,rtc_tickpolicy=catchup",
    "--clock offset=utc,hpet_present=yes",
    "--pm suspend_to_mem.enabled=yes,suspend_to_disk.enabled=no",
    "--events on_poweroff=preserve,on_reboot=destroy,on_crash=restart",
    "--metadata title='a, b',description=x,uuid=5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10",
    "--boot bootmenu.enable=on,bootmenu.timeout=3000",
    "--boot kernel=/k,initrd=/i,cmdline='root=/dev/vda quiet'",
    "--boot hd,network",
    "--boot network --network user,model=virtio",
    "--boot boot0.dev=cdrom,boot1.dev=hd",
    "--boot loader=/fw/code.fd,loader.readonly=yes,loader.type=pflash,nvram=/fw/vars.fd --tpm none",
    "--disk FILES/disk.img",
    "--disk path=FILES/disk.qcow2,format=qcow2,bus=virtio",
    "--disk path=FILES/disk.img,bus=scsi,cache=none,driver.io=native,driver.discard=unmap "
    "--controller scsi,model=virtio-scsi",
    "--disk path=FILES/disk.img,bus=sata,serial=abc,boot.order=1",
    "--disk path=FILES/disk.img,bus=virtio,perms=sh",
    "--disk path=FILES/disk.img,bus=virtio,readonly=on,cache=default",
    "--disk path=FILES/disk.img,bus=usb,transient=on",
    "--disk path=FILES/new.img,size=1,sparse ",
    "--disk path=FILES/new.img,size=0.5,sparse=no,format=raw,bus=virtio",
    "--disk path='FILES/a\\,b.img',size=0.5",
    "--disk FILES/disk.img --disk FILES/cd.iso,device=cdrom",
    "--disk device=cdrom",
    "--disk FILES/disk.img,device=floppy --disk FILES/disk.qcow2,bus=ide",
    "--disk source.protocol=nbd,source.host0.name=h,source.host0.port=10809,source.name=x,"
    "bus=virtio,driver.type=raw",
    "--disk type=dir,source.dir=FILES,driver.type=fat,bus=virtio,readonly=on",
    "--network user",
    "--network network=default,model=virtio,mac=52:54:00:11:22:33",
    "--network bridge=br0,model=e1000 --network user,model=rtl8139",
    "--network bridge:br0",
    "--network type=direct,source=eth0,source.mode=bridge,model=virtio",
    "--network type=ethernet,target.dev=tap0,driver.name=vhost,driver.queues=2,model=virtio",
    "--network type=vhostuser,source.type=unix,source.path=/x,source.mode=client,model=virtio",
    "--network user,model=virtio,link.state=down,mtu.size=1400,boot.order=2",
    "--network user,model=virtio,address.type=pci,address.slot=0x5",
    "--bridge br0 --mac 52:54:00:11:22:33",
    "--graphics vnc",
    "--graphics vnc,port=5901,listen=0.0.0.0,keymap=de,websocket=5700",
    "--graphics vnc,listen=socket,password=secret",
    "--graphics vnc,listens0.type=socket,listens0.socket=/a/b",
    "--vnc --vncport 5902",
    "--graphics spice",
    "--graphics spice,port=5910,tlsPort=5911,listen=0.0.0.0,password=x",
    "--graphics sdl",
    "--graphics vnc --video virtio",
    "--graphics vnc --video model.type=virtio,model.heads=2",
    "--graphics vnc --video qxl",
    "--graphics vnc --video cirrus",
    "--graphics vnc --video model.type=none",
    "--graphics vnc --video vga,model.vram=16384",
    "--serial pty",
    "--console none",
    "--console pty,target.type=virtio",
    "--serial pty --console pty,target.type=virtio",
    "--serial tcp,host=127.0.0.1:4555,mode=bind,protocol.type=telnet",
    "--serial udp,host=127.0.0.1:55,bind_host=127.0.0.1:56",
    "--serial file,path=/x",
    "--serial unix,path=/s,mode=connect",
    "--serial null",
    "--serial dev,path=/dev/ttyS0",
    "--serial pty,target.type=pci-serial",
    "--parallel null",
    "--channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0",
    "--channel pty,target.type=virtio,target.name=org.example.0",
    "--channel unix,path=/s,mode=bind,target.type=virtio,target.name=org.example.0",
    "--input tablet",
    "--input mouse,bus=virtio --input keyboard,bus=usb",
    "--sound ich9",
    "--sound",
    "--sound model=ich6,audio.id=1 --audio id=1,type=none",
    "--graphics spice --sound ac97",
    "--watchdog default",
    "--watchdog ib700,action=none",
    "--memballoon virtio,autodeflate=on,freePageReporting=on,stats.period=2",
    "--memballoon none",
    "--rng /dev/urandom",
    "--rng type=builtin,rate.bytes=10,rate.period=20",
    "--tpm model=tpm-tis,backend.type=emulator,backend.version=2.0",
    "--tpm model=tpm-crb,backend.type=passthrough,backend.device.path=/dev/tpm0",
    "--filesystem /tmp,share",
    "--filesystem source=/tmp,target=share,accessmode=passthrough,readonly=on",
    "--filesystem source=/tmp,target=share,driver.type=virtiofs,accessmode=passthrough "
    "--memorybacking source.type=memfd,access.mode=shared",
    "--vsock cid.auto=yes",
    "--vsock cid.address=7",
    "--controller type=scsi,model=lsilogic",
    "--qemu-commandline='-d guest_errors'",
)
"""Each behind `BARE`, of whose options the last one counts that is said twice."""

WHOLE = (
    "--name t --memory 512 --disk FILES/disk.img --import --virt-type qemu --osinfo generic",
    "-n t -r 512 --vcpus=2 --disk path=FILES/new.img,size=2,sparse -w bridge=br100,model=virtio "
    "--force -l FILES/tree -x ks=http://172.16.0.1/c.cfg --osinfo generic --virt-type qemu",
    "--virt-type qemu --name rhel5 --ram 512 --disk path=FILES/new.img,size=2 --graphics vnc "
    "--cdrom FILES/cd.iso --os-variant rhel5.0",
    "--virt-type qemu --name rhel6 --ram 1024 --vcpus 2 --network bridge=brnet0 "
    "--disk path=FILES/new.img,size=2,sparse --location FILES/tree --extra_args ks=x "
    "--os-variant rhel6.0 --force",
    "--virt-type qemu --name r --vcpus 2,maxvcpus=4 --ram 512 --nographics --location FILES/tree "
    "--disk path=FILES/new.img,size=2,format=qcow2,bus=virtio,sparse "
    "--network bridge=brnet0,model=virtio --extra-args 'ks=x console=ttyS0' --os-variant rhel5.8 "
    "--force --video=cirrus",
    "--name t --ram 512 --disk FILES/disk.img --import --virt-type qemu --osinfo generic",
    "--name t --memory 512 --vcpus 2 --disk FILES/disk.qcow2 --import --virt-type qemu "
    "--osinfo linux2022",
    "--name t --memory 512 --vcpus 2 --disk size=2,path=FILES/new.img --cdrom FILES/cd.iso "
    "--virt-type qemu --osinfo debian11",
    "--name t --memory 512 --vcpus 1 --disk FILES/disk.img --import --virt-type qemu "
    "--osinfo centos6.10 --graphics vnc",
    "--name t --memory 512 --vcpus 1 --disk FILES/disk.img --import --virt-type qemu "
    "--osinfo win10",
    "--name t --memory 512 --vcpus 1 --disk FILES/disk.img --import --virt-type qemu "
    "--osinfo winxp",
    "--name t --memory 512 --vcpus 1 --disk FILES/disk.img --import --virt-type qemu "
    "--osinfo ubuntu16.04 --graphics none",
    "--name t --memory 512 --vcpus 1 --nodisks --pxe --virt-type qemu --osinfo generic "
    "--network network=default",
    "--name t --memory 512 --vcpus 1 --nodisks --livecd --cdrom FILES/cd.iso --virt-type qemu "
    "--osinfo generic --nonetworks",
)
