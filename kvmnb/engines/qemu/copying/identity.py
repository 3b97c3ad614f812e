"""What makes a copy a machine of its own: its clock, addresses, name and random numbers.

QEMU gives it a UUID, sockets and a generation id of its own (``-device vmgenid``). The rest is
inside: only its agent can tell it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Completed
from kvmnb.engines.qemu import commands
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.errors import CommandError, GuestTimeout, KvmnbError
from kvmnb.spec.charbacks import Null
from kvmnb.spec.chardev import Private
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["attach", "catch_up", "copied_spec", "reseeds", "set_clock", "settle"]

AGENT_S = 20.0
"""How long a copy under KVM may take to answer; multiplied by the accelerator's patience."""

CLOCK_S, CLOCK_TRIES = 0.04, 12
"""How well a clock is set, and how often that is tried, since a busy guest answers late."""

BEHIND_S = 0.05
"""By how much a guest may fall behind before it is worth a command in it."""

OWN_TIME_S = 2.0
"""A clock that is further off than it fell behind was set so; at boot it is read from a device
that knows whole seconds alone."""

SCRIPT = """\
parent=$1 name=$2 renew=$3 seed=$4
shift 4
readdress() {
  for card in /sys/class/net/*; do
    address=
    read -r address <"$card/address" && [ "$address" = "$1" ] || continue
    card=${card##*/}
    ip link set dev "$card" address "$2" 2>/dev/null || {
      ip link set dev "$card" down
      ip link set dev "$card" address "$2"
      ip link set dev "$card" up
    }
    return 0
  done
  return 1
}
for pair; do
  old=${pair%=*} new=${pair#*=}
  readdress "$old" "$new" && continue
  (
    # it was copied before it had found its cards
    tries=150
    until readdress "$old" "$new" || [ $((tries -= 1)) -lt 0 ]; do sleep 0.2; done
  ) >/dev/null 2>&1 </dev/null &
done
read -r called </proc/sys/kernel/hostname
[ "$called" = "$parent" ] && echo "$name" >/proc/sys/kernel/hostname
if [ ! -d /sys/bus/acpi/drivers/vmgenid ]; then
  # RNDADDENTROPY and RNDRESEEDCRNG (random(4)): a write to /dev/urandom alone changes nothing yet
  if command -v python3 >/dev/null; then
    python3 -c 'import fcntl,struct,sys
s=bytes.fromhex(sys.argv[1])
f=open("/dev/random","wb")
fcntl.ioctl(f,0x40085203,struct.pack("ii",8*len(s),len(s))+s)
fcntl.ioctl(f,0x5207)' "$seed"
  elif command -v perl >/dev/null; then
    perl -e '$s=pack("H*",$ARGV[0]);open(F,">","/dev/random");
ioctl(F,0x40085203,pack("ii",8*length($s),length($s)).$s);ioctl(F,0x5207,0)' "$seed"
  fi
fi
[ -n "$renew" ] && for card in /sys/class/net/*; do
  address=-
  read -r address <"$card/address"
  case ",$renew," in *",$address,"*) ;; *) continue ;; esac
  card=${card##*/}
  for pid in $(pidof udhcpc); do
    words=/tmp/kvmnb-udhcpc.$$
    tr '\\0' '\\n' <"/proc/$pid/cmdline" >"$words"
    grep -qx "$card" "$words" || continue
    # killed outright, since it would give the parent's address back; begun anew, since it calls
    # itself by the address that its card had in the beginning, once the card is plugged in
    kill -9 "$pid"
    ip -4 address flush dev "$card"
    (
      until [ "$(cat "/sys/class/net/$card/carrier")" = 1 ]; do sleep 0.05; done
      tr '\\n' '\\0' <"$words" | xargs -0 env
      rm -f "$words"
    ) >/dev/null 2>&1 </dev/null &
  done
  (
    networkctl reconfigure "$card" || nmcli device reapply "$card" || {
      pidof dhclient && kill -9 $(pidof dhclient) && ip -4 address flush dev "$card" &&
        dhclient "$card"
    }
  ) >/dev/null 2>&1 </dev/null &
done
true
"""
"""For the guest's /bin/sh, BusyBox's too. Its arguments: the parent's name, the copy's, which of
the new MAC addresses are to ask for a network address anew (with commas between them), 64
hexadecimal digits, pairs ``OLD=NEW`` of MAC addresses."""


def copied_spec(spec: DomainSpec, name: str) -> DomainSpec:
    """Return the description of a copy: what only one guest of this host can have is its own.

    Ports of the host that lead into the guest become free ones, screens and lines of text are
    private ones.
    """
    changes: dict[str, Any] = {
        "name": name,
        "uuid": None,
        "autostart": False,
        "nics": tuple(_own_card(nic) for nic in spec.nics),
        "displays": tuple(VNC() if isinstance(each, VNC) else each for each in spec.displays),
    }
    for field in ("serials", "parallels", "consoles", "channels", "monitors"):
        changes[field] = tuple(
            each
            if isinstance(each.back, (Private, Null))
            else dataclasses.replace(each, back=Private())
            for each in getattr(spec, field)
        )
    return dataclasses.replace(spec, **changes)


def _own_card(nic: Any) -> Any:
    back = nic.back
    if isinstance(back, User) and back.forwards:
        forwards = tuple(
            dataclasses.replace(each, host_port=_free_port(each.protocol, each.host_address))
            for each in back.forwards
        )
        back = dataclasses.replace(back, forwards=forwards)
    return dataclasses.replace(nic, mac=None, back=back)


def _free_port(protocol: str, address: str) -> int:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def shared_cards(spec: DomainSpec) -> tuple[str, ...]:
    """Return what QEMU calls the cards that a guest has on a network with others."""
    from kvmnb.compile.qemu_network import card_name

    return tuple(card_name(index, nic) for index, nic in enumerate(spec.nics) if _shared(nic))


def _shared(nic: NIC) -> bool:
    return nic.back is not None and not isinstance(nic.back, User)


async def plug(control: QemuControl, *, up: bool) -> None:
    """Plug in the cards on networks with others, or pull the plugs."""
    for name in shared_cards(control.info.spec):
        await control.qmp("set_link", {"name": name, "up": up})


async def attach(control: QemuControl) -> None:
    """Open the agent's line of a guest that is about to go on."""
    if control.info.spec.agent:
        with contextlib.suppress(OSError):
            await control.agent.attach()


async def settle(
    control: QemuControl, *, parent: str | None = None, before: tuple[str, ...] = ()
) -> None:
    """Tell a guest that has just been restored the time, and, as a copy, who it is.

    Parameters
    ----------
    parent : the name of the guest that it is a copy of, whose cards are pulled out; ``None`` if
        it is the same guest
    before : the MAC addresses that its cards have until now

    Raises
    ------
    GuestTimeout   its agent does not answer; `GuestLost` if it ended
    """
    if not control.info.spec.agent:
        return
    limit_s = AGENT_S * control.patience
    try:
        async with asyncio.timeout(limit_s):
            if parent is not None:
                # the guest has processors enough to do both at once
                told = await _introduce(control, parent, before)
                await set_clock(control)
                done: Completed = await control.inside.in_guest(told)
                if done.returncode == 0:
                    await plug(control, up=True)
                return
            await set_clock(control)
            if not await reseeds(control):
                await control.inside.in_guest(await _introduce(control, control.info.name, before))
    except TimeoutError as error:
        tail = control.console.lines(5)
        raise GuestTimeout(control.info.name, limit_s, "the copy to answer", tail) from error


async def set_clock(control: QemuControl, *, within_s: float = math.inf) -> None:
    """Set the guest's clock to the host's; both hold the time as UTC.

    The time is old when it gets there, by so much as the guest is slow to take it: so it is
    looked at afterwards, and set again with that added.

    Parameters
    ----------
    within_s : a clock that is further off is not ours to set, and stays

    Raises
    ------
    GuestLost   QEMU is gone
    """
    lead_s: float | None = None
    for _ in range(CLOCK_TRIES):
        try:
            late_s, unsure_s = await _late(control)
            if abs(late_s) + unsure_s <= CLOCK_S or abs(late_s) > within_s + unsure_s:
                return
            if abs(late_s) > unsure_s or lead_s is None:
                # what it is off by at first, it stood still for; from then on, it is the way
                lead_s = 0.0 if lead_s is None else lead_s + late_s
                now_ns = time.time_ns() + round(lead_s * 1e9)
                await control.inside.ask("guest-set-time", {"time": now_ns})
            else:
                await asyncio.sleep(unsure_s)  # whatever keeps it busy comes to an end
        except AgentClosed:
            if control.ended:
                raise await control.fail() from None
            await asyncio.sleep(0.05)
        except CommandError:
            return  # it has no right to, or no hwclock; what the system clock got stays


async def catch_up(control: QemuControl) -> None:
    """Set the clock of a guest that fell behind by standing still while it was copied.

    One that was set to a time of its own keeps it.
    """
    behind_s, control.behind_s = control.behind_s, 0.0
    with contextlib.suppress(KvmnbError, TimeoutError):
        async with asyncio.timeout(AGENT_S * control.patience):
            await set_clock(control, within_s=behind_s + OWN_TIME_S)


async def _late(control: QemuControl) -> tuple[float, float]:
    """Return by how much the guest's clock is late, and how far that may be wrong, in seconds."""
    before = time.time()
    told = float(await control.inside.ask("guest-get-time", {})) / 1e9
    after = time.time()
    return (before + after) / 2 - told, (after - before) / 2


async def reseeds(control: QemuControl) -> bool:
    """Return whether the guest's kernel hears by itself that it was copied."""
    if control.reseeds is None:
        done = await control.inside.run(
            ("/bin/sh", "-c", "[ -d /sys/bus/acpi/drivers/vmgenid ]"), stdin=None, timeout_s=None
        )
        control.reseeds = done.returncode == 0
    return control.reseeds


async def _introduce(
    control: QemuControl, parent: str, before: tuple[str, ...]
) -> asyncio.Task[Completed]:
    """Begin to tell a copy who it is; return what ends when it has heard."""
    spec, after = control.info.spec, control.info.macs
    pairs = [f"{old}={new}" for old, new in zip(before, after, strict=False) if old != new]
    cards = zip(spec.nics, before, after, strict=False)
    renew = ",".join(new for nic, old, new in cards if _shared(nic) and old != new)
    words = ("/bin/sh", "-c", SCRIPT, "sh", parent, spec.name, renew, secrets.token_hex(32), *pairs)
    begun = await control.inside.in_guest(commands.execute(control.agent, words, None))
    told: asyncio.Task[Completed] = begun[1]
    return told
