"""The ``kvmnb`` command: doctor, lab, demo, ls, rm, reap, image, cache."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from kvmnb.errors import KvmnbError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 for a failure, 2 for wrong words."""
    options = _parser().parse_args(argv)
    work: Callable[[argparse.Namespace], int] = options.work
    try:
        return work(options)
    except KvmnbError as error:
        print(f"kvmnb: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; there is nobody left to tell
        return 141


def _parser() -> argparse.ArgumentParser:
    from kvmnb import __version__

    parser = argparse.ArgumentParser(prog="kvmnb", description="The notebook SDK for KVM.")
    parser.add_argument("--version", action="version", version=f"kvmnb {__version__}")
    verbs = parser.add_subparsers(metavar="verb", required=True)

    verb = verbs.add_parser("doctor", help="examine this machine and say what mends it")
    verb.set_defaults(work=_doctor)

    verb = verbs.add_parser("lab", help="open JupyterLab on the quickstart notebook")
    verb.add_argument("--no-browser", action="store_true", help="print the address only")
    verb.add_argument("--port", type=int, default=8888, help="first port to try (8888)")
    verb.set_defaults(work=_lab)

    verb = verbs.add_parser("demo", help="do the quickstart's job here in the terminal")
    verb.set_defaults(work=_demo)

    verb = verbs.add_parser("ls", help="list the guests that run")
    verb.set_defaults(work=_ls)

    verb = verbs.add_parser("rm", help="end guests and remove what was made for them")
    verb.add_argument("name", nargs="+")
    verb.set_defaults(work=_rm)

    verb = verbs.add_parser("reap", help="end the guests whose owner is gone, without waiting")
    verb.set_defaults(work=_reap)

    verb = verbs.add_parser("image", help="list, fetch, add and remove images")
    image_verbs = verb.add_subparsers(metavar="verb", required=True)
    verb = image_verbs.add_parser("ls", help="list the images")
    verb.set_defaults(work=_image_ls)
    verb = image_verbs.add_parser("get", help="build or download an image")
    verb.add_argument("name", nargs="+")
    verb.set_defaults(work=_image_get)
    verb = image_verbs.add_parser("add", help="add a file of yours under a name")
    verb.add_argument("name")
    verb.add_argument("path")
    verb.add_argument("--format", help="of the file; read from its header where not given")
    verb.set_defaults(work=_image_add)
    verb = image_verbs.add_parser("rm", help="remove an image; a file of yours stays")
    verb.add_argument("name", nargs="+")
    verb.set_defaults(work=_image_rm)

    verb = verbs.add_parser("cache", help="list and clear the templates of warm starts")
    cache_verbs = verb.add_subparsers(metavar="verb", required=True)
    verb = cache_verbs.add_parser("ls", help="list the templates, the one used last first")
    verb.set_defaults(work=_cache_ls)
    verb = cache_verbs.add_parser("clear", help="remove templates: these, or all")
    verb.add_argument("which", nargs="*", help="a guest's name, or a key or how one begins")
    verb.set_defaults(work=_cache_clear)
    verb = cache_verbs.add_parser("limit", help="tell how much they may take, and take")
    verb.set_defaults(work=_cache_limit)
    return parser


def _doctor(_: argparse.Namespace) -> int:
    from kvmnb.host import Host

    report = Host().doctor()
    print(report)
    return 0 if report.ok else 1


def _lab(options: argparse.Namespace) -> int:
    from kvmnb.lab_server import serve

    return serve(browser=not options.no_browser, port=options.port)


def _demo(_: argparse.Namespace) -> int:
    from kvmnb.demo import demo

    return demo()


def _ls(_: argparse.Namespace) -> int:
    from kvmnb.host import Host

    print(Host().guests.to_text())
    return 0


def _rm(options: argparse.Namespace) -> int:
    from kvmnb.host import Host

    guests = Host().guests
    missing = [name for name in options.name if not guests.end(name)]
    for name in missing:
        print(f"kvmnb: no guest {name!r} runs here", file=sys.stderr)
    return 1 if missing else 0


def _reap(_: argparse.Namespace) -> int:
    from kvmnb.host import Host

    for name in Host().guests.reap():
        print(f"ended {name!r}")
    return 0


def _image_ls(_: argparse.Namespace) -> int:
    from kvmnb.host import Host
    from kvmnb.markup import columns

    print(columns(Host().images.rows()))
    return 0


def _image_get(options: argparse.Namespace) -> int:
    from kvmnb.display.progress import progress
    from kvmnb.engines.base import Step
    from kvmnb.host import Host

    for name in options.name:
        with progress(f"image {name}") as report:
            image = Host().images.get(name, lambda *step: report(Step(*step)))
        print(image.disk)
    return 0


def _image_add(options: argparse.Namespace) -> int:
    from kvmnb.host import Host

    Host().images.add(options.name, options.path, format=options.format)
    return 0


def _image_rm(options: argparse.Namespace) -> int:
    from kvmnb.host import Host

    for name in options.name:
        Host().images.remove(name)
    return 0


KEY_SHOWN = 12
"""Characters of a template's key in a list; so many tell it from all others."""


def _cache_ls(_: argparse.Namespace) -> int:
    import time

    from kvmnb.engines.registry import templates
    from kvmnb.markup import columns
    from kvmnb.units import human

    now = time.time()
    rows = [("guest", "key", "size", "age", "last use")]
    rows += [
        (
            entry.name or "(damaged)",
            entry.key[:KEY_SHOWN],
            human(entry.size_bytes),
            _ago(now - entry.created_s),
            "in use" if entry.in_use else f"{_ago(now - entry.used_s)} ago",
        )
        for entry in templates().entries()
    ]
    print(columns(rows))
    return 0


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _cache_clear(options: argparse.Namespace) -> int:
    from kvmnb.engines.registry import templates
    from kvmnb.units import human

    store = templates()
    entries = store.entries()
    wanted = {
        word: [
            entry
            for entry in entries
            if word == entry.name or (len(word) >= 4 and entry.key.startswith(word))
        ]
        for word in options.which
    }
    chosen = [each for found in wanted.values() for each in found] if wanted else entries
    for entry in dict.fromkeys(chosen):
        store.discard(entry.key, "cleared")
        later = ", once its reader is done" if entry.in_use else ""
        name = entry.name or entry.key[:KEY_SHOWN]
        print(f"removed the template of {name!r}, {human(entry.size_bytes)}{later}")
    missing = [word for word, found in wanted.items() if not found]
    for word in missing:
        print(f"kvmnb: no template of {word!r} here", file=sys.stderr)
    return 1 if missing else 0


def _cache_limit(_: argparse.Namespace) -> int:
    from kvmnb.engines.registry import templates
    from kvmnb.units import human

    store = templates()
    sizes = [entry.size_bytes for entry in store.entries()]
    print(f"limit  {human(store.limit_bytes)} (KVMNB_TEMPLATES_LIMIT sets another)")
    print(f"used   {human(sum(sizes))} in {len(sizes)} template{'' if len(sizes) == 1 else 's'}")
    print(f"in     {store.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
