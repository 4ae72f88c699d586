"""What a change touched, as `change.py` finds it and `compiler.py` compiles it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.compile.fragments import Fragment

__all__ = ["Dirty"]


@dataclass(slots=True)
class Dirty:
    """Fragments to compile again; the value says on which hypervisors, None on all of its scope."""

    fragments: dict[Fragment, set[str] | None] = field(default_factory=dict)

    def everywhere(self, fragments: Iterable[Fragment]) -> None:
        """On every hypervisor that holds it before or after."""
        for fragment in fragments:
            self.fragments[fragment] = None

    def on(self, dvrs: Iterable[str], fragments: Iterable[Fragment]) -> None:
        """On these alone, because they came to hold it or ceased to."""
        names = set(dvrs)
        for fragment in fragments:
            if fragment not in self.fragments:
                self.fragments[fragment] = set(names)
                continue
            held = self.fragments[fragment]
            if held is not None:
                held |= names
