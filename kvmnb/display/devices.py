"""The devices that a host's QEMU has, as a table to look at, and each one's properties."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kvmnb.markup import columns, element, table

if TYPE_CHECKING:
    import pandas

__all__ = ["Devices"]

COLUMNS = ("name", "category", "bus", "description")
PROPERTIES = ("name", "type", "default", "description")


class Devices:
    """All devices of a QEMU: ``host.devices``; call it for a table to work with.

    Parameters
    ----------
    found : what it has, each with name, category, bus and description
    properties : asks for the properties of one of them
    """

    def __init__(self, found: Sequence[Any], properties: Callable[[str], Sequence[Any]]) -> None:
        self._found, self._properties = tuple(found), properties

    def __call__(self, name: str | None = None) -> pandas.DataFrame:
        """Return all devices, or with a name that device's properties.

        Parameters
        ----------
        name : as ``-device`` takes it, such as ``"virtio-net-pci"``

        Raises
        ------
        SpecError   this QEMU has no such device
        """
        import pandas

        wanted = COLUMNS if name is None else PROPERTIES
        found = self._found if name is None else self._properties(name)
        data = [[getattr(each, column) for column in wanted] for each in found]
        return pandas.DataFrame(data, columns=list(wanted)).set_index("name")

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self._found)

    def _by_category(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for each in self._found:
            found.setdefault(each.category, []).append(each)
        return found

    def __repr__(self) -> str:
        lines = [f"{len(self)} devices; host.devices(NAME) shows the properties of one"]
        for category, found in self._by_category().items():
            lines.append(f"\n{category}")
            lines.append(columns((f"  {each.name}", each.bus, each.description) for each in found))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        folds = [
            element(
                "details",
                element("summary", f"{category} ({len(found)})", style="cursor:pointer"),
                table(
                    ("name", "bus", "description"),
                    ((each.name, each.bus, each.description) for each in found),
                ),
            )
            for category, found in self._by_category().items()
        ]
        said = f"{len(self)} devices; host.devices(NAME) shows the properties of one"
        style = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px"
        return str(element("div", element("b", said), *folds, style=style))
