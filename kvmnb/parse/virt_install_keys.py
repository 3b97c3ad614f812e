"""The sub-options of virt-install's options (4.1, and what 5.0 added), as ``--disk=?`` lists them.

They tell a slip from what only the guest's description has no field for.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["known", "names"]

_NAMES = {
    "cpu": """
        cache.level cache.mode check disable forbid force match migratable mode model
        model.fallback model.vendor_id numa.cell[0-9]*.cache[0-9]*.associativity
        numa.cell[0-9]*.cache[0-9]*.level numa.cell[0-9]*.cache[0-9]*.line.unit
        numa.cell[0-9]*.cache[0-9]*.line.value numa.cell[0-9]*.cache[0-9]*.policy
        numa.cell[0-9]*.cache[0-9]*.size.unit numa.cell[0-9]*.cache[0-9]*.size.value
        numa.cell[0-9]*.cpus numa.cell[0-9]*.discard
        numa.cell[0-9]*.distances.sibling[0-9]*.id
        numa.cell[0-9]*.distances.sibling[0-9]*.value numa.cell[0-9]*.id
        numa.cell[0-9]*.memAccess numa.cell[0-9]*.memory numa.cell[0-9]*.unit
        numa.interconnects.bandwidth[0-9]*.cache
        numa.interconnects.bandwidth[0-9]*.initiator
        numa.interconnects.bandwidth[0-9]*.target numa.interconnects.bandwidth[0-9]*.type
        numa.interconnects.bandwidth[0-9]*.unit numa.interconnects.bandwidth[0-9]*.value
        numa.interconnects.latency[0-9]*.cache numa.interconnects.latency[0-9]*.initiator
        numa.interconnects.latency[0-9]*.target numa.interconnects.latency[0-9]*.type
        numa.interconnects.latency[0-9]*.unit numa.interconnects.latency[0-9]*.value
        optional require secure topology.cores topology.dies topology.sockets
        topology.threads vendor
    """,
    "boot": """
        acpi.table acpi.table.type arch bios.rebootTimeout bios.useserial boot[0-9]*.dev
        bootloader bootloader_args bootmenu.enable bootmenu.timeout cdrom cmdline
        domain_type dtb emulator fd firmware firmware.feature[0-9]*.enabled
        firmware.feature[0-9]*.name hd init initarg[0-9]* initargs initdir initenv[0-9]*
        initenv[0-9]*.name initgroup initrd inituser kernel loader loader.readonly
        loader.secure loader.type machine network nvram nvram.template os_type
        refresh-machine-type smbios.mode uefi
    """,
    "memorybacking": """
        access.mode allocation.mode allocation.threads discard hugepages
        hugepages.page[0-9]*.nodeset hugepages.page[0-9]*.size hugepages.page[0-9]*.unit
        locked nosharepages source.type
    """,
    "clock": """
        hpet_present hypervclock_present kvmclock_present offset pit_present pit_tickpolicy
        platform_present rtc_present rtc_tickpolicy timer[0-9]*.catchup.limit
        timer[0-9]*.catchup.slew timer[0-9]*.catchup.threshold timer[0-9]*.frequency
        timer[0-9]*.mode timer[0-9]*.name timer[0-9]*.present timer[0-9]*.tickpolicy
        timer[0-9]*.track tsc_present
    """,
    "disk": """
        alias.name backing_format backing_store blockio.logical_block_size
        blockio.physical_block_size boot.loadparm boot.order bus cache device driver.ats
        driver.cache driver.copy_on_read driver.detect_zeroes driver.discard
        driver.error_policy driver.io driver.iommu driver.iothread driver.name driver.packed
        driver.page_per_vq driver.queues driver.type format geometry.cyls geometry.heads
        geometry.secs geometry.trans iotune.read_bytes_sec iotune.read_iops_sec
        iotune.total_bytes_sec iotune.total_iops_sec iotune.write_bytes_sec
        iotune.write_iops_sec path pool rawio readonly serial sgio shareable size snapshot
        source.address.bus source.address.domain source.address.function source.address.slot
        source.dev source.dir source.file source.host[0-9]*.name source.host[0-9]*.port
        source.host[0-9]*.socket source.host[0-9]*.transport source.managed source.name
        source.namespace source.pool source.protocol source.reservations.managed
        source.reservations.source.mode source.reservations.source.path
        source.reservations.source.type source.startupPolicy source.type source.volume
        sparse target.bus target.dev target.removable target.rotation_rate transient
        transient.shareBacking type vol wwn
    """,
    "network": """
        alias.name boot.loadparm boot.order bridge driver.ats driver.iommu driver.name
        driver.packed driver.page_per_vq driver.queues filterref.filter link.state mac
        mac.address model model.type mtu.size network rom.bar rom.file source source.mode
        source.path source.portgroup source.type target.dev trustGuestRxFilters type
        virtualport.parameters.instanceid virtualport.parameters.interfaceid
        virtualport.parameters.managerid virtualport.parameters.profileid
        virtualport.parameters.typeid virtualport.parameters.typeidversion virtualport.type
    """,
    "graphics": """
        alias.name clipboard.copypaste connected defaultMode filetransfer.enable gl.enable
        gl.rendernode image.compression keymap listen listens[0-9]*.address
        listens[0-9]*.network listens[0-9]*.socket listens[0-9]*.type mouse.mode password
        passwordValidTo port streaming.mode tlsPort type websocket zlib.compression
    """,
    "controller": """
        address alias.name driver.ats driver.iommu driver.iothread driver.packed
        driver.page_per_vq driver.queues index master.startport maxGrantFrames model
        num_pcie_root_ports target.busNr target.chassis target.chassisNr target.hotplug
        target.index target.node target.port type vectors
    """,
    "input": """
        alias.name bus driver.ats driver.iommu driver.packed driver.page_per_vq model
        source.dev source.evdev source.grab source.grabToggle source.repeat type
    """,
    "serial": """
        alias.name bind_host host log.append log.file mode path protocol.type
        source.bind_host source.bind_service source.channel source.clipboard.copypaste
        source.connect_host source.connect_service source.host source.master source.mode
        source.mouse.mode source.path source.service source.slave source.tls target.address
        target.model.name target.name target.port target.type type
    """,
    "hostdev": """
        alias.name boot.order driver.name name rom.bar type
    """,
    "filesystem": """
        accessmode alias.name binary.cache.mode binary.lock.flock binary.lock.posix
        binary.path binary.sandbox.mode binary.xattr dmode driver.ats driver.format
        driver.iommu driver.name driver.packed driver.page_per_vq driver.queue driver.type
        driver.wrpolicy fmode model multidevs readonly source source.dev source.dir
        source.file source.name source.pool source.socket source.units source.usage
        source.volume space_hard_limit space_soft_limit target target.dir type
    """,
    "sound": """
        alias.name audio.id codec[0-9]*.type model
    """,
    "audio": """
        id type
    """,
    "watchdog": """
        action alias.name model
    """,
    "video": """
        alias.name driver.ats driver.iommu driver.packed driver.page_per_vq
        model.acceleration.accel3d model.heads model.ram model.type model.vgamem model.vram
        model.vram64
    """,
    "memballoon": """
        alias.name autodeflate driver.ats driver.iommu driver.packed driver.page_per_vq
        freePageReporting model stats.period
    """,
    "rng": """
        alias.name backend backend.log.append backend.log.file backend.model
        backend.protocol.type backend.source.bind_host backend.source.bind_service
        backend.source.channel backend.source.clipboard.copypaste
        backend.source.connect_host backend.source.connect_service backend.source.host
        backend.source.master backend.source.mode backend.source.mouse.mode
        backend.source.path backend.source.service backend.source.slave backend.source.tls
        backend.type device driver.ats driver.iommu driver.packed driver.page_per_vq model
        rate.bytes rate.period type
    """,
    "tpm": """
        active_pcr_banks.sha1 active_pcr_banks.sha256 active_pcr_banks.sha384
        active_pcr_banks.sha512 alias.name backend.device.path backend.encryption.secret
        backend.persistent_state backend.type backend.version model
    """,
    "vsock": """
        alias.name cid.address cid.auto driver.ats driver.iommu driver.packed
        driver.page_per_vq model
    """,
    "features": """
        acpi apic apic.eoi gic.version hap hyperv.relaxed.state hyperv.reset.state
        hyperv.spinlocks.retries hyperv.spinlocks.state hyperv.synic.state
        hyperv.vapic.state ioapic.driver kvm.hidden.state kvm.hint-dedicated.state
        kvm.poll-control.state pae pmu.state privnet pvspinlock.state smm.state viridian
        vmcoreinfo.state vmport.state
    """,
    "pm": """
        suspend_to_disk.enabled suspend_to_mem.enabled
    """,
    "events": """
        on_crash on_lockfailure on_poweroff on_reboot
    """,
    "metadata": """
        description genid genid_enable name os_full_id os_name title uuid
    """,
    "memory": """
        currentMemory hugepages maxMemory maxMemory.slots maxmemory memory
    """,
    "vcpus": """
        cores cpuset dies maxvcpus sockets threads vcpu vcpu.cpuset vcpu.current
        vcpu.placement vcpus vcpus.vcpu[0-9]*.enabled vcpus.vcpu[0-9]*.hotpluggable
        vcpus.vcpu[0-9]*.id vcpus.vcpu[0-9]*.order
    """,
    "location": """
        initrd kernel location
    """,
}

_PLACES = """
    address.base address.bus address.controller address.cssid address.devno address.domain
    address.function address.iobase address.irq address.multifunction address.port address.reg
    address.slot address.ssid address.target address.type address.unit address.zpci.fid
    address.zpci.uid clearxml xpath[0-9]*.create xpath[0-9]*.delete xpath[0-9]*.set
    xpath[0-9]*.value source.seclabel[0-9]*.model source.seclabel[0-9]*.relabel
    source.seclabel[0-9]*.label
"""
"""What every device takes."""

_ALSO = {
    "boot": "menu extra_args kernel_args loader_ro loader_type loader_secure nvram_template",
    "cpu": "cell[0-9]*.id cell[0-9]*.cpus cell[0-9]*.memory maxphysaddr.mode maxphysaddr.bits",
    "disk": "perms io discard error_policy startup_policy driver_name driver_type target",
    "network": """driver_name driver_queues filterref link_state rom_bar rom_file target
        portgroup source_type source_path source_mode backend.type backend.logFile source.dev
        virtualport_type portForward[0-9]*.proto portForward[0-9]*.address portForward[0-9]*.dev
        portForward[0-9]*.range[0-9]*.start portForward[0-9]*.range[0-9]*.end
        portForward[0-9]*.range[0-9]*.to portForward[0-9]*.range[0-9]*.exclude""",
    "graphics": "tlsport passwd gl rendernode image_compression mouse_mode audio.id",
    "serial": "char_type protocol target_address target_type name",
    "filesystem": "mode",
    "features": """eoi gic_version hyperv_reset hyperv_relaxed hyperv_vapic hyperv_spinlocks
        hyperv_spinlocks_retries hyperv_synic kvm_hidden pmu pvspinlock smm vmcoreinfo vmport""",
    "memory": "hotplugmemorymax hotplugmemoryslots",
    "memorybacking": "size unit nodeset access_mode source_type",
    "rng": "backend_type rate_bytes rate_period",
    "tpm": "version path",
    "video": "model heads ram vram vram64 vgamem accel3d",
    "vsock": "auto_cid cid",
    "clock": "hpet rtc pit",
    "vcpus": "placement",
}
"""Old spellings, which still work, and those of version 5."""

_SAME = {"parallel": "serial", "channel": "serial", "console": "serial"}


def names(option: str) -> list[str]:
    """Return the sub-options of an option, which is named without its dashes."""
    option = _SAME.get(option, option)
    return f"{_NAMES.get(option, '')} {_ALSO.get(option, '')} {_PLACES}".split()


@cache
def _pattern(option: str) -> re.Pattern[str]:
    spelled = (re.escape(name).replace(r"\[0\-9\]\*", r"\d{0,4}") for name in names(option))
    return re.compile("|".join(spelled), re.ASCII)


def known(option: str, key: str) -> bool:
    """Return whether virt-install has that sub-option; each number in it may be any."""
    return _pattern(option).fullmatch(key) is not None
