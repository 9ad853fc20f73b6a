"""What was imported is frozen once, and again only after many more modules came."""

import gc
import sys

from segcore.ui.frame import collector


def test_imports_are_frozen_once_until_many_modules_come(monkeypatch):
    calls = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(collector, "_frozen", 0)
    collector.spare_imports()
    assert calls == ["collect", "freeze"]
    few = {f"no_module_{number}": sys for number in range(collector.NEW_MODULES - 1)}
    monkeypatch.setattr(sys, "modules", {**sys.modules, **few})
    collector.spare_imports()
    assert calls == ["collect", "freeze"]
    monkeypatch.setattr(sys, "modules", {**sys.modules, "one_more": sys})
    collector.spare_imports()
    assert calls == ["collect", "freeze"] * 2
