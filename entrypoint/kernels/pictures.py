"""The pictures of kernels, which lie among people's files: their disk is asked beside the event loop first."""

from __future__ import annotations

import os
from functools import partial, wraps
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.kernelspecs.handlers import KernelSpecResourceHandler

from entrypoint.jupyter.errands import Errands


def look_before_pictures() -> None:
    """To be called once, before Jupyter's own handler then asks the same in the event loop."""
    get = KernelSpecResourceHandler.get

    @wraps(get)
    async def look_and_get(self: Any, kernel_name: str, path: str, include_body: bool = True) -> Any:
        try:
            file = os.path.join(self.kernel_spec_manager.get_kernel_spec(kernel_name).resource_dir, path)
        except NoSuchKernel:
            return await get(self, kernel_name, path, include_body)
        await Errands.of_the_server().run(partial(os.path.isfile, file), [file])
        return await get(self, kernel_name, path, include_body)

    KernelSpecResourceHandler.get = look_and_get
