"""Copies that share a network with their parent: each has an address of its own there."""

from __future__ import annotations

import pytest

from tests.engines.qemu.namespaces import BRIDGE, ETC, need_bridge_helper

LAB = """
from kvmnb.spec.netbacks import Bridge

SERVER = '''
until ls /run/dhcp.eth0/pid; do sleep 0.1; done >/dev/null 2>&1
killall -9 udhcpc; ip addr flush dev eth0; ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up
printf '%s\\\\n' "start 10.9.0.10" "end 10.9.0.99" "interface eth0" "max_leases 50" \\\\
    "lease_file /tmp/leases" "option subnet 255.255.255.0" "option lease 600" >/tmp/udhcpd.conf
touch /tmp/leases; udhcpd -S /tmp/udhcpd.conf
'''
ADDRESS = '''
tries=60
until ip -4 -o addr show dev eth0 | grep -q 10.9.0 || [ $((tries -= 1)) -lt 0 ]
do sleep 0.5; done
ip -4 -o addr show dev eth0 | awk '{print $4}'; cat /sys/class/net/eth0/address
'''

def cards(guest):
    address, mac = guest.run(ADDRESS, check=True, timeout_s=90).stdout.split()
    assert mac == guest.info.macs[0], (mac, guest.info.macs)
    return address.partition("/")[0], mac

vm = host.vm("parent").mem(128).smp(2).disk("tiny").nic("virtio", net=Bridge("br0"))
with host.vm("server").mem(128).disk("tiny").nic("virtio", net=Bridge("br0")).start() as server:
    server.run(SERVER, check=True)
    with vm.start() as parent:
        here = [cards(parent)]
        copies = parent.fork(2)
        here += [cards(copy) for copy in copies]
        pings = [
            copy.run(f"ping -c 1 -W 5 {address}", timeout_s=60).returncode
            for copy in copies for address, _ in here
        ]
        again = cards(parent)
        for copy in copies:
            copy.destroy()
print(json.dumps([here, pings, list(again)]))
"""


@pytest.mark.guest
def test_a_copy_on_a_bridge_gets_another_address_and_takes_nobodys(namespace, tmp_path):
    need_bridge_helper()
    here, pings, again = namespace(ETC.format(place=tmp_path) + BRIDGE, LAB)
    assert len({address for address, _ in here}) == len({mac for _, mac in here}) == 3
    assert again == here[0]
    assert set(pings) == {0}
