"""Parts of guests that only some have, made up by hypothesis; `strategies` puts them together.

Paths hold what users, or those who mean ill, could write: see `paths`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from kvmnb.spec import charbacks, peripherals
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.graphics import VIDEO_MODELS, VNC, Video
from kvmnb.spec.platform import Clock, ExtraXML, Firmware
from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
from kvmnb.spec.screens import Spice, Window

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack
    from kvmnb.spec.graphics import Display

HOSTS = ("127.0.0.1", "localhost", "192.0.2.7", "srv-1.example.org", "::1")

_ESCAPED = st.integers(0xDC80, 0xDCFF).map(chr)  # one byte that is not UTF-8
_PART = st.one_of(
    st.sampled_from([",", ",,", "=", "'", '"', " ", "\n", "\\", "$(id)", "<b>", "file=x", "on"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    _ESCAPED,
)


def texts() -> st.SearchStrategy[str]:
    """Return text that can stand in an argument list, and would break one that does not quote."""
    # two escaped bytes may be UTF-8 together, and would not come back as two from a file name
    return st.lists(_PART, max_size=6).map(
        lambda parts: (
            "".join(parts).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        )
    )


def plain_texts() -> st.SearchStrategy[str]:
    """Return printable text that XML can hold too (it has no control characters, no lone bytes)."""
    letters = st.characters(codec="utf-8", exclude_categories=("C", "Z"))
    return st.lists(
        st.sampled_from([",", "=", "'", '"', " ", "\\", "$(id)", "<b>", "&amp;", "]]>"])
        | st.text(letters, max_size=5),
        max_size=6,
    ).map("".join)


def paths(hostile: bool = True) -> st.SearchStrategy[str]:
    """Return absolute paths of files that need not exist."""
    return (texts() if hostile else plain_texts()).map(lambda text: "/" + text)


def hosts(*, ipv6: bool = True) -> st.SearchStrategy[str]:
    """Return names and addresses of machines."""
    return st.sampled_from(HOSTS if ipv6 else HOSTS[:-1])


def ports() -> st.SearchStrategy[int]:
    """Return TCP and UDP ports."""
    return st.integers(1, 65535)


def uuids() -> st.SearchStrategy[str]:
    """Return UUIDs in their usual spelling."""
    return st.uuids().map(str)


def words() -> st.SearchStrategy[str]:
    """Return what needs no quoting anywhere."""
    return st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)


def char_backs(hostile: bool = True) -> st.SearchStrategy[CharBack]:
    """Return every back half of a character device."""
    switch, path = st.booleans(), paths(hostile)
    udp = st.builds(charbacks.UDP, port=ports(), host=hosts())
    local = st.builds(
        charbacks.UDP,
        port=ports(),
        host=hosts(ipv6=False),
        local_port=ports(),
        local_host=st.none() | hosts(ipv6=False),
    )
    client = {"server": st.just(False)}
    server = {"server": st.just(True), "wait": switch}
    return st.one_of(
        st.just(Private()),
        st.just(charbacks.Null()),
        st.builds(charbacks.File, path, switch),
        st.builds(charbacks.Pipe, path),
        st.sampled_from(["/dev/ttyS0", "/dev/ttyUSB1"]).map(charbacks.HostPort),
        *(
            st.builds(charbacks.TCP, port=ports(), host=hosts(), telnet=switch, **more)
            for more in (client, server)
        ),
        udp | local,
        *(st.builds(charbacks.UnixSocket, path=path, **more) for more in (client, server)),
    )


def serials(hostile: bool = True) -> st.SearchStrategy[Serial]:
    """Return serial ports on every bus."""
    return st.builds(Serial, char_backs(hostile), st.sampled_from(["isa", "pci", "usb"]))


def parallels(hostile: bool = True) -> st.SearchStrategy[Parallel]:
    """Return parallel ports."""
    port = st.just(charbacks.HostPort("/dev/parport0"))
    other = char_backs(hostile).filter(lambda back: not isinstance(back, charbacks.HostPort))
    return st.builds(Parallel, port | other)


def consoles(hostile: bool = True) -> st.SearchStrategy[Console]:
    """Return virtio consoles."""
    return st.builds(Console, char_backs(hostile))


def channels(hostile: bool = True) -> st.SearchStrategy[Channel]:
    """Return virtio channels, SPICE's among them."""
    agent = st.just(Channel("com.redhat.spice.0", charbacks.SpicePort()))
    name = st.sampled_from(["org.example.one", "org.example.two", "a,b=c <d>"])
    return st.builds(Channel, name, char_backs(hostile)) | agent


def monitors(hostile: bool = True) -> st.SearchStrategy[Monitor]:
    """Return monitors for people and for programs."""
    return st.builds(Monitor, char_backs(hostile), st.sampled_from(["hmp", "qmp"]))


def displays(hostile: bool = True) -> st.SearchStrategy[Display]:
    """Return every way to see the screen."""
    secret = st.booleans() | st.sampled_from(["secret", "pa,ss=wo", "12345678"])
    keymap = st.none() | st.sampled_from(["de", "en-us"])
    common = {"password": secret, "keymap": keymap}
    socket, web = st.none() | ports(), st.none() | ports()
    spice_secret = st.none() | st.just("se,cret")
    return st.one_of(
        st.builds(VNC, **common),
        st.builds(VNC, display=st.integers(0, 99), websocket=web, **common),
        st.builds(VNC, display=st.integers(0, 99), listen=hosts(), websocket=web, **common),
        st.builds(VNC, listen=hosts(), **common),
        st.builds(VNC, unix=paths(hostile), **common),
        st.builds(
            Spice, port=ports(), tls_port=socket, listen=st.none() | hosts(), password=spice_secret
        ),
        st.builds(Spice, unix=paths(hostile), password=spice_secret),
        st.builds(
            Window,
            toolkit=st.sampled_from(["sdl", "gtk"]),
            gl=st.booleans(),
            fullscreen=st.booleans(),
        ),
        st.just(Window(toolkit="curses")),
    )


def videos() -> st.SearchStrategy[Video]:
    """Return graphics cards of every model."""

    @st.composite
    def made(draw: st.DrawFn) -> Video:
        model = draw(st.sampled_from(VIDEO_MODELS))
        sized = model in {"std", "qxl", "vmware", "bochs"} and draw(st.booleans())
        many = model in {"qxl", "virtio"} and draw(st.booleans())
        return Video(
            model,
            memory_mib=draw(st.sampled_from([16, 32, 64])) if sized else None,
            heads=draw(st.integers(2, 4)) if many else 1,
            accelerated=model == "virtio" and draw(st.booleans()),
        )

    return made()


def inputs() -> st.SearchStrategy[peripherals.Input]:
    """Return tablets, mice and keyboards."""
    return st.builds(
        peripherals.Input,
        st.sampled_from(["tablet", "mouse", "keyboard"]),
        st.sampled_from(["usb", "virtio"]),
    )


def sounds() -> st.SearchStrategy[peripherals.Sound]:
    """Return sound cards."""
    return st.builds(
        peripherals.Sound,
        st.sampled_from(peripherals.SOUND_MODELS),
        st.sampled_from(peripherals.AUDIO_BACKS),
    )


def watchdogs() -> st.SearchStrategy[peripherals.Watchdog]:
    """Return watchdogs with every action."""
    return st.builds(
        peripherals.Watchdog,
        st.sampled_from(peripherals.WATCHDOG_MODELS),
        st.sampled_from(peripherals.WATCHDOG_ACTIONS),
    )


def balloons() -> st.SearchStrategy[Balloon]:
    """Return balloons."""
    switch = st.booleans()
    return st.builds(
        Balloon, stats_s=st.integers(0, 60), deflate_on_oom=switch, free_page_reporting=switch
    )


def rngs() -> st.SearchStrategy[RNG]:
    """Return entropy sources, with and without a limit."""
    source = st.sampled_from(["builtin", "/dev/urandom", "/dev/random"])
    limited = st.builds(
        RNG, source=source, max_bytes=st.integers(1, 1 << 20), period_ms=st.integers(1, 10000)
    )
    return st.builds(RNG, source=source) | limited


def tpms(hostile: bool = True) -> st.SearchStrategy[peripherals.TPM]:
    """Return TPMs: emulated by the engine, by another, or the host's own."""
    model, version = st.sampled_from(["tis", "crb"]), st.sampled_from(["1.2", "2.0"])
    return st.one_of(
        st.builds(peripherals.TPM, model=model, version=version),
        st.builds(peripherals.TPM, model=model, socket=paths(hostile)),
        st.builds(peripherals.TPM, model=model, device=st.just("/dev/tpm0")),
    )


def shares(hostile: bool = True) -> st.SearchStrategy[peripherals.Share]:
    """Return folders that the guest mounts."""
    tag = st.sampled_from(["work", "a,b=c", "two words"])
    return st.builds(
        peripherals.Share,
        source=paths(hostile),
        tag=tag,
        readonly=st.booleans(),
        security=st.sampled_from(peripherals.SECURITY_MODELS),
    ) | st.builds(
        peripherals.Share,
        source=paths(hostile),
        tag=tag,
        kind=st.just("virtiofs"),
        socket=st.none() | paths(hostile),
    )


def vsocks(explicit: bool = False) -> st.SearchStrategy[peripherals.Vsock]:
    """Return vsocks; with an address of their own where `explicit`."""
    cid = st.integers(3, 4294967294)
    return st.builds(peripherals.Vsock, cid if explicit else st.none() | cid)


def host_devices() -> st.SearchStrategy[peripherals.HostDevice]:
    """Return devices of the host."""
    number = st.integers(0, 0xFFFF)
    address = st.sampled_from(["0000:01:00.0", "0000:65:1f.7", "02:00.1"])
    return st.one_of(
        st.builds(peripherals.HostPCI, address=address),
        st.builds(peripherals.HostUSB, vendor=number, product=number),
        st.builds(peripherals.HostUSB, bus=st.integers(1, 9), device=st.integers(1, 99)),
        st.builds(peripherals.Mediated, uuid=uuids()),
    )


def firmwares(explicit: bool = False, hostile: bool = True) -> st.SearchStrategy[Firmware]:
    """Return firmware; with its file named where `explicit`."""
    code, own = paths(hostile), st.none()
    uefi = st.builds(
        Firmware, code=code, variables=paths(hostile) | st.none(), secure=st.booleans()
    )
    bios = st.builds(Firmware, kind=st.just("bios"), code=code if explicit else code | own)
    plain = st.builds(Firmware, secure=st.booleans())
    return uefi | bios if explicit else uefi | bios | plain


def clocks() -> st.SearchStrategy[Clock]:
    """Return clocks."""
    return st.builds(
        Clock,
        base=st.sampled_from(["utc", "localtime", "2026-01-31", "2026-01-31T12:00:00"]),
        source=st.sampled_from(["host", "rt", "vm"]),
        driftfix=st.sampled_from(["none", "slew"]),
        pit=st.sampled_from([None, "delay", "discard"]),
        hpet=st.sampled_from([None, True, False]),
    )


def cloud_inits() -> st.SearchStrategy[CloudInit]:
    """Return what an image is told at its first start."""
    return st.builds(
        CloudInit,
        user=st.sampled_from([None, "anna"]),
        ssh_keys=st.sampled_from([(), ("ssh-ed25519 AAAAC3NzaC1lZDI1 anna@here",)]),
        password_hash=st.sampled_from([None, "$6$salt$hash"]),
        packages=st.sampled_from([(), ("vim", "curl")]),
        run=st.sampled_from([(), ("touch /ready",)]),
        hostname=st.sampled_from([None, "web1"]),
    )


def extra_xmls() -> st.SearchStrategy[ExtraXML]:
    """Return elements that no field stands for."""
    return st.sampled_from(
        [
            ExtraXML(
                parent="domain", xml='<resource><partition>/virtual"&amp;</partition></resource>'
            ),
            ExtraXML(parent="devices", xml='<panic model="isa"/>'),
            ExtraXML(parent="features", xml="<pvspinlock/>"),
        ]
    )
