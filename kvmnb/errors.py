"""All errors of kvmnb, in one tree.

::

    KvmnbError
    ├ SpecError(ValueError)        a value asked for is wrong: field, value, reason
    ├ Unsupported                  a target or engine cannot express a field or do a verb
    ├ ParseError(ValueError)       text that cannot be read: text, position, reason
    ├ ImageError                   an image is not there, damaged, or in use
    ├ HostError                    the host lacks something: check, remedy
    └ EngineError                  something happened while running a guest
       ├ ConnectError              no way to reach what runs the guests: uri, reason
       ├ StartError                the guest did not start: argv, exit code, logs, likely cause
       ├ StateError                the guest's state does not allow the verb
       ├ CommandError              the guest, its agent or its monitor refused a command
       ├ GuestLost                 the guest's process is gone: exit code, log
       └ GuestTimeout(TimeoutError)  the guest did not answer in time

Every error's message is a fact sheet: the first line says what happened, the lines below it
name the cause, what to do, and what QEMU said. The facts are attributes too, as they were given;
in the message, what a terminal would obey is spelled out, since a guest may have written it.
Errors can be pickled, so that a process pool hands them over whole.
"""

from __future__ import annotations

__all__ = [
    "KvmnbError",
    "SpecError",
    "Unsupported",
    "ParseError",
    "ImageError",
    "HostError",
    "EngineError",
    "ConnectError",
    "StartError",
    "StateError",
    "CommandError",
    "GuestLost",
    "GuestTimeout",
]


def _sheet(headline: str, **facts: object) -> str:
    """Lay out a headline and its facts, one a line; facts that are empty are left out."""
    lines = [headline]
    for label, fact in facts.items():
        if fact is None or fact == "":
            continue
        first, *rest = str(fact).splitlines() or [""]
        lines.append(f"  {label:<9}{first}")
        lines.extend(f"  {'':<9}{line}" for line in rest)
    return "\n".join(lines)


VALUE_LIMIT = 200
"""Characters of a value that a message shows; the error's attribute has the whole of it."""


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # a number of thousands of digits, or an object whose repr is broken
        text = f"<{type(value).__name__}>"
    return text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}… ({len(text)} characters)"


def _revived(kind: type[KvmnbError], message: str) -> KvmnbError:
    # not by kind(message): the facts come back as the state, and need no laying out again
    error = kind.__new__(kind)
    error.args = (message,)
    return error


class KvmnbError(Exception):
    """Anything that kvmnb raises on purpose."""

    def __init__(self, message: str) -> None:
        from kvmnb.markup import printable

        super().__init__(printable(message, keep="\n\t"))

    def __reduce__(self) -> tuple[object, ...]:
        return _revived, (type(self), str(self)), self.__dict__


class SpecError(KvmnbError, ValueError):
    """A value that was asked for is wrong.

    Attributes
    ----------
    field : which field of the description, such as ``"mem"`` or ``"disk.cache"``
    value : what was given
    reason : why it cannot be, and what can
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}={_shown(value)}: {reason}")
        self.field, self.value, self.reason = field, value, reason


class Unsupported(KvmnbError):
    """A target cannot express a field, or an engine cannot do a verb.

    Attributes
    ----------
    target : ``"qemu"``, ``"libvirt"``, ``"virt-install"`` or an engine's name
    field : the field or verb
    hint : why, and what would do instead
    """

    def __init__(self, target: str, field: str, hint: str) -> None:
        super().__init__(f"{target} does not support {field}: {hint}")
        self.target, self.field, self.hint = target, field, hint


class ParseError(KvmnbError, ValueError):
    """Text that cannot be read.

    Attributes
    ----------
    text : the whole text
    position : index into `text`, in characters, where reading stopped
    reason : what is wrong there
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        near = text[position : position + 24]
        super().__init__(f"at character {position}, near {near!r}: {reason}")
        self.text, self.position, self.reason = text, position, reason


class ImageError(KvmnbError):
    """An image cannot be used.

    Attributes
    ----------
    name : the image's name in the catalogue, or its path
    reason : not found, digest mismatch, in use, … and what to do
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"image {name!r}: {reason}")
        self.name, self.reason = name, reason


class HostError(KvmnbError):
    """This machine lacks something that was asked for.

    Attributes
    ----------
    check : what was looked for
    remedy : the command or setting that mends it
    """

    def __init__(self, check: str, remedy: str) -> None:
        super().__init__(_sheet(check, do=remedy))
        self.check, self.remedy = check, remedy


class EngineError(KvmnbError):
    """Something happened while running a guest."""


class ConnectError(EngineError):
    """What runs the guests cannot be reached.

    Attributes
    ----------
    uri : where it was looked for: a libvirt URI or a socket's path
    reason : what was found instead
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"cannot reach {uri}: {reason}")
        self.uri, self.reason = uri, reason


class StartError(EngineError):
    """A guest did not start.

    Attributes
    ----------
    guest : its name
    command : the argv, or the domain XML, that was tried
    exit_code : of the process; negative for a signal; ``None`` if it was ended by us
    log_tail : the process's last lines
    console_tail : the guest's last lines on its serial console or screen
    cause : the likely cause, in words
    remedy : what to do about it
    waited_s : how long it was tried, in seconds; ``None`` where nothing was waited for
    """

    def __init__(
        self,
        guest: str,
        *,
        command: tuple[str, ...] | str = (),
        exit_code: int | None = None,
        log_tail: str = "",
        console_tail: str = "",
        cause: str = "",
        remedy: str = "",
        waited_s: float | None = None,
    ) -> None:
        what = "did not start"
        if exit_code is not None:
            ended = f"with code {exit_code}" if exit_code >= 0 else f"by signal {-exit_code}"
            what += f": QEMU ended {ended}"
        if waited_s is not None:
            what += f" after {waited_s:.2f} s"
        super().__init__(
            _sheet(
                f"guest {guest!r} {what}",
                cause=cause,
                do=remedy,
                QEMU=log_tail,
                console=console_tail,
                command="see .command on this error" if command else "",
            )
        )
        self.guest, self.command, self.exit_code = guest, command, exit_code
        self.log_tail, self.console_tail = log_tail, console_tail
        self.cause, self.remedy, self.waited_s = cause, remedy, waited_s


class StateError(EngineError):
    """The guest's state does not allow what was asked.

    Attributes
    ----------
    guest, state : its name and the state it is in
    required : what state, or what change, the verb needs
    """

    def __init__(self, guest: str, state: str, required: str) -> None:
        super().__init__(f"guest {guest!r} is {state}: {required}")
        self.guest, self.state, self.required = guest, state, required


class CommandError(EngineError):
    """A guest, its agent or its monitor refused a command.

    Attributes
    ----------
    command : what was sent
    error_class : QMP's error class, or ``"ExitStatus"`` for a command that failed in the guest
    description : what came back
    """

    def __init__(self, command: str, error_class: str, description: str) -> None:
        super().__init__(f"{command}: {description} ({error_class})")
        self.command, self.error_class, self.description = command, error_class, description


class GuestLost(EngineError):
    """A guest's process is gone.

    Attributes
    ----------
    guest : its name
    exit_code : of the process; negative for a signal; ``None`` where another process started it
    log_tail : its last lines
    """

    def __init__(self, guest: str, exit_code: int | None = None, log_tail: str = "") -> None:
        if exit_code is None:
            ended = "its QEMU process is gone"
        elif exit_code < 0:
            ended = f"its QEMU process was ended by signal {-exit_code}"
        else:
            ended = f"its QEMU process ended with code {exit_code}"
        super().__init__(_sheet(f"guest {guest!r} is lost: {ended}", QEMU=log_tail))
        self.guest, self.exit_code, self.log_tail = guest, exit_code, log_tail


class GuestTimeout(EngineError, TimeoutError):
    """A guest did not answer in time.

    Attributes
    ----------
    guest : its name
    waited_s : how long was waited, in seconds
    waiting_for : for what
    console_tail : the guest's last lines on its console
    """

    def __init__(
        self, guest: str, waited_s: float, waiting_for: str, console_tail: str = ""
    ) -> None:
        super().__init__(
            _sheet(
                f"guest {guest!r}: waited {waited_s:.1f} s for {waiting_for}", console=console_tail
            )
        )
        self.guest, self.waited_s = guest, waited_s
        self.waiting_for, self.console_tail = waiting_for, console_tail
