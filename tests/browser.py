"""Chromium over its debugging protocol: a page opened from disk, for tests and for the pictures of the documentation."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


class Tab:
    """One page of the browser, with every event since it was opened."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.asked = 0

    async def ask(self, method: str, **params: Any) -> Any:
        self.asked += 1
        await self.socket.send_json({"id": self.asked, "method": method, "params": params})
        while True:
            message = json.loads((await self.socket.receive()).data)
            if message.get("id") == self.asked:
                return message["result"]
            self.events.append(message)

    async def until(self, method: str) -> None:
        while not any(event["method"] == method for event in self.events):
            self.events.append(json.loads((await self.socket.receive()).data))

    def requests(self) -> list[str]:
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["method"] in COMPLAINTS]


@asynccontextmanager
async def opened(path: Path, profile: Path, width: int, scheme: str, scale: float = 1) -> AsyncIterator[Tab]:
    """The page at `path` (absolute), loaded, in a window of `width` CSS pixels; scheme: light or dark. `profile`: an empty folder."""
    import aiohttp

    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        for _ in range(600):
            if port_file.is_file() and "\n" in port_file.read_text(encoding="utf-8"):
                break
            await asyncio.sleep(0.1)
        port = port_file.read_text(encoding="utf-8").split()[0]
        async with aiohttp.ClientSession() as session:
            listed = await session.get(f"http://127.0.0.1:{port}/json/list")
            targets = await listed.json(content_type=None)
            address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await tab.ask(f"{domain}.enable")
                size = {"width": width, "height": 900, "deviceScaleFactor": scale, "mobile": width < 600}
                await tab.ask("Emulation.setDeviceMetricsOverride", **size)
                await tab.ask(
                    "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
                )
                tab.events.clear()
                await tab.ask("Page.navigate", url=path.as_uri())
                await tab.until("Page.loadEventFired")
                yield tab
    finally:
        process.terminate()
        await process.wait()
