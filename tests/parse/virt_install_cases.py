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
    "--memory 512,maxMemory=2048,maxMemory.slots=3 --cpu cell0.cpus=0,cell0.memory=524288",
    "--memorybacking hugepages=on,hugepages.page0.size=2048,access.mode=shared",
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
    "--events on_poweroff=restart,on_reboot=restart,on_crash=restart",
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
    "--network network=default,model=virtio,link.state=down,mtu.size=1400,boot.order=2",
    "--network user,model=virtio,address.type=pci,address.slot=0x5",
    "--bridge br0 --mac 52:54:00:11:22:33",
    "--graphics vnc",
    "--graphics vnc,port=5901,listen=0.0.0.0,keymap=de,websocket=5700",
    "--graphics vnc,listen=socket,password=secret",
    "--graphics vnc,listens0.type=socket,listens0.socket=/a/b",
    "--vnc --vncport 5902",
    "--graphics spice",
    "--graphics spice,port=5910,listen=0.0.0.0,password=x",
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
    "--tpm model=tpm-crb,backend.type=passthrough,backend.device.path=/dev/tpm0",
    "--filesystem /tmp,share",
    "--filesystem source=/tmp,target=share,accessmode=passthrough,readonly=on",
    "--filesystem source=/tmp,target=share,driver.type=virtiofs,accessmode=passthrough "
    "--memorybacking source.type=memfd,access.mode=shared",
    "--vsock cid.auto=yes",
    "--vsock cid.address=7",
    "--controller type=scsi,model=lsilogic",
    "--qemu-commandline='-d guest_errors'",
    "--boot uefi",
    "--boot firmware=efi,firmware.feature0.name=secure-boot,firmware.feature0.enabled=yes "
    "--machine q35 --features smm.state=on",
    "--boot firmware=bios",
    "--boot loader=/usr/share/seabios/bios.bin,loader.type=rom",
    "--boot bootmenu.enable=on,bios.useserial=yes,bios.rebootTimeout=5000",
    "--boot smbios.mode=host",
    "--boot fd,cdrom,hd",
    "--disk vol=default/disk.qcow2",
    "--disk size=1 --disk pool=default,size=2,bus=virtio",
    "--disk pool=default,size=1,bus=scsi,serial=x --controller scsi,model=virtio-scsi",
    "--disk FILES/disk.img,bus=virtio,driver.queues=2,driver.iothread=1 --iothreads 2",
    "--disk FILES/disk.img,bus=virtio,iotune.total_iops_sec=100,iotune.read_bytes_sec=4096",
    "--disk FILES/disk.img,bus=virtio,driver.detect_zeroes=unmap,driver.discard=unmap",
    "--disk FILES/disk.img,bus=virtio,error_policy=stop,driver.copy_on_read=on",
    "--disk FILES/disk.img,bus=scsi,wwn=5000c50015ea71ac,target.rotation_rate=7200 "
    "--controller scsi,model=virtio-scsi",
    "--disk FILES/cd.iso,device=cdrom,bus=sata,source.startupPolicy=optional",
    "--disk source.protocol=https,source.host0.name=h,source.name=/a.iso,device=cdrom",
    "--disk source.protocol=iscsi,source.host0.name=h,source.name=iqn.2013-06.org.x:s/1,"
    "bus=virtio,driver.type=raw",
    "--disk source.protocol=rbd,source.name=pool/image,source.host0.name=h,bus=virtio,"
    "driver.type=raw",
    "--disk path=FILES/disk.img,target.dev=hdb --disk FILES/cd.iso,device=cdrom,bus=sata",
    "--network network=default,filterref.filter=clean-traffic,trustGuestRxFilters=yes",
    "--network bridge=br0,virtualport.type=openvswitch,model=virtio,"
    "virtualport.parameters.interfaceid=4e5b1a29-7b5f-4ea4-a3e6-4c4d1a0f0a01",
    "--network bridge=br0,source.portgroup=x --network type=direct,source=eth0",
    "--network bridge=br0,model=virtio,rom.bar=off,driver.queues=4,driver.name=vhost",
    "--network network=default --network bridge=br1,mac=52:54:00:aa:bb:cc --network user",
    "--controller type=usb,model=qemu-xhci --input tablet",
    "--controller usb3 --redirdev usb,type=spicevmc --graphics spice,image.compression=auto_glz",
    "--redirdev none --graphics spice,gl.enable=no,mouse.mode=server",
    "--redirdev usb,type=tcp,server=localhost:4000 --graphics vnc",
    "--graphics vnc --graphics spice --video qxl --video qxl",
    "--graphics vnc --video model.type=qxl,model.ram=131072,model.vram=65536",
    "--graphics spice,clipboard.copypaste=no,filetransfer.enable=no --noautoconsole --debug",
    "--panic default",
    "--smartcard passthrough,type=spicevmc --graphics spice",
    "--iommu intel --machine q35 --features ioapic.driver=qemu",
    "--features hyperv.relaxed.state=on,hyperv_vapic=on,hyperv.spinlocks.state=on,"
    "hyperv.spinlocks.retries=4096 --clock hypervclock_present=yes",
    "--features kvm_hidden=on,pmu.state=off,vmcoreinfo.state=on",
    "--clock kvmclock_present=no,rtc_tickpolicy=catchup",
    "--cpu mode=maximum,cache.mode=passthrough",
    "--vcpus 2,cpuset=0-1",
    "--cputune vcpupin0.vcpu=0,vcpupin0.cpuset=0,emulatorpin.cpuset=1,shares=2048",
    "--numatune 0,memory.mode=strict",
    "--memtune hard_limit=1048576,soft_limit=524288",
    "--blkiotune weight=500",
    "--resource /virtualmachines/production",
    "--seclabel type=static,label=0:0,model=dac,relabel=no",
    "--rng device=/dev/hwrng,rate.bytes=1024,rate.period=1000,driver.iommu=on",
    "--memballoon virtio,driver.iommu=on",
    "--serial pty,log.file=/tmp/serial.log,log.append=on",
    "--serial pty --serial file,path=/x --serial tcp,host=0.0.0.0:2445,mode=bind",
    "--channel spicevmc --graphics spice",
    "--channel unix,path=/s,mode=connect,target.type=virtio,name=org.example.1 --channel "
    "pty,target.type=virtio,target.name=org.example.2",
    "--sound ich9,codec0.type=micro --sound ac97",
    "--filesystem /tmp,share,fmode=0600,dmode=0700,multidevs=remap",
    "--watchdog i6300esb,action=poweroff",
    "--vsock cid.auto=no,cid.address=9",
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
    "--name t --memory 512 --disk FILES/disk.img --import --virt-type qemu --osinfo win11 "
    "--boot uefi",
    "--name t --memory 512 --disk FILES/disk.img --import --virt-type qemu --osinfo win10 "
    "--features hyperv.relaxed.state=off --graphics vnc",
    "--name t --disk FILES/disk.img --import --virt-type qemu --osinfo fedora36",
    "--name t --memory 512 --disk FILES/disk.img --import --virt-type qemu --osinfo ubuntu22.04 "
    "--graphics vnc,listen=0.0.0.0 --noautoconsole",
    "--name t --memory 512 --disk pool=default,size=1 --cdrom FILES/cd.iso --virt-type qemu "
    "--osinfo win7 --network network=default,model=rtl8139 --sound",
    "--name t --memory 512 --disk size=1 --location FILES/tree,kernel=images/pxeboot/vmlinuz,"
    "initrd=images/pxeboot/initrd.img --virt-type qemu --osinfo debian11 --graphics none "
    "--extra-args console=ttyS0 --extra-args ip=dhcp",
    "--name t --memory 512 --disk size=1 --pxe --boot uefi --virt-type qemu --osinfo generic "
    "--network bridge=br0",
    "--name t --memory 512 --disk size=1 --install bootdev=network --virt-type qemu --osinfo "
    "generic --network bridge=br0 --graphics none",
    "--name t --memory 512 --vcpus 1 --nodisks --livecd --cdrom FILES/cd.iso --virt-type qemu "
    "--osinfo generic --nonetworks",
)
