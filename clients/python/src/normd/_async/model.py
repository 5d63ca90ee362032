# SPDX-License-Identifier: MIT
"""A model: its layers together, its versions and what serves, its state as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Mapping

from .. import _calls
from .._calls import present
from .._request import Request, segment
from .._retries import Repeat
from ..errors import NoSuchModel
from ..types import (Alias, Exported, Imported, LayerEntry, ModelFrozen, ModelInferred, ModelTrained, Serving,
                     ServingSwitch, Usage, Version, VersionLayer, VersionName)
from .layer import AsyncLayer

if TYPE_CHECKING:
    from .client import AsyncClient


class AsyncModel:
    """A named set of layers. Made by ``Client.model``."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._client = client
        self._path = _calls.model_path(name)
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def layer(self, name: str) -> AsyncLayer:
        """The layer of this name. Nothing is sent; ``Layer.create`` creates it."""
        return AsyncLayer(self._client, self.name, name)

    async def layers(self) -> AsyncIterator[LayerEntry]:
        """All layers with their resolved definitions, in the byte order of their names."""
        async for entry in self._client._pages(self._path, "layers"):
            yield entry

    async def delete(self) -> None:
        """Deletes the model, its layers and its versions."""
        await self._client._send(_calls.delete(self._path))

    async def train(self, tensors: Mapping[str, Any], *, key: str | int | None = None,
                    copy: bool = False) -> ModelTrained:
        """Trains the layers that ``tensors`` names, in one transaction: all or none.

        Each tensor is normalized as by ``Layer.train``; arrays go without a copy. ``key`` is the Idempotency-Key, for a
        caller that may be started again; without one, each call has its own.
        """
        return await self._client._send(_calls.model_train(self.name, tensors, key=key, copy=copy))

    async def infer(self, tensors: Mapping[str, Any], *, version: VersionName | None = None,
                    copy: bool = False) -> ModelInferred:
        """Normalizes by the layers that ``tensors`` names, all of one committed state: what serves, or ``version``."""
        return await self._client._send(_calls.model_infer(self.name, tensors, version=version, copy=copy))

    async def freeze(self) -> ModelFrozen:
        """Nothing moves the statistics of the model's layers from now on."""
        frozen: ModelFrozen = await self._client._send(_calls.put(self._path + "/frozen", {"frozen": True}))
        return frozen

    async def thaw(self) -> ModelFrozen:
        """Ends what ``freeze`` began, for all layers."""
        frozen: ModelFrozen = await self._client._send(_calls.put(self._path + "/frozen", {"frozen": False}))
        return frozen

    # ---- the Open Inference Protocol's other calls, which speak of what serves or of ``version``

    async def metadata(self, *, version: VersionName | None = None) -> dict[str, Any]:
        """The model's versions, and its inputs and outputs: the layers, with their datatypes and shapes."""
        return await self._client._send(_calls.get(self._protocol_path(version)))

    async def config(self, *, version: VersionName | None = None) -> dict[str, Any]:
        """What ``metadata`` answers, in the words of Triton."""
        return await self._client._send(_calls.get(self._protocol_path(version) + "/config"))

    async def ready(self, *, version: VersionName | None = None) -> bool:
        """Whether ``train`` and ``infer`` may use the model: it exists and is not unloaded."""
        try:
            await self._client._send(_calls.get(self._protocol_path(version) + "/ready"))
        except NoSuchModel:
            return False
        return True

    async def usage(self, *, version: VersionName | None = None) -> list[Usage]:
        """How often ``train`` and ``infer`` of this class used the model since the daemon started, by versions."""
        used: list[Usage] = await self._client._send(
            _calls.member(_calls.get(self._protocol_path(version) + "/stats"), "model_stats"))
        return used

    async def load(self) -> None:
        """Ends what ``unload`` began."""
        await self._client._send(_calls.post(f"/v2/repository/models/{segment(self.name, 'model')}/load", {}))

    async def unload(self) -> None:
        """``train`` and ``infer`` of this class are NoSuchModel until ``load``, or until the daemon is restarted."""
        await self._client._send(_calls.post(f"/v2/repository/models/{segment(self.name, 'model')}/unload", {}))

    # ---- versions

    async def make_version(self, note: str = "", *, key: str | int | None = None) -> Version:
        """Makes an immutable, numbered snapshot of all layers."""
        version: Version = await self._client._send(
            _calls.post(self._path + "/versions", {"note": note}, key=key, keyed=True))
        return version

    async def versions(self) -> AsyncIterator[Version]:
        """All versions, in the order of their numbers."""
        async for version in self._client._pages(self._path + "/versions", "versions"):
            yield version

    async def version(self, version: VersionName) -> Version:
        """A version by its number or an alias."""
        return await self._client._send(_calls.version(self._version_path(version)))

    async def version_layers(self, version: VersionName) -> AsyncIterator[VersionLayer]:
        """The layers that a version holds, with their digests."""
        async for layer in self._client._pages(self._version_path(version), "layers"):
            yield layer

    async def delete_version(self, version: VersionName) -> None:
        """Fails with VersionInUse while the version serves or has an alias."""
        await self._client._send(_calls.delete(self._version_path(version)))

    async def serving(self) -> Serving:
        """What inference reads if it names no version, and since when."""
        serving: Serving = await self._client._send(_calls.get(self._path + "/serving"))
        return serving

    async def publish(self, version: VersionName, note: str = "") -> Serving:
        """Lets a version (its number, an alias, or "live") serve."""
        # Twice "previous" would lead back to where it began.
        repeat = Repeat.NEVER if version == "previous" else Repeat.SAFE
        document = {"version": version, **present(note=note or None)}
        serving: Serving = await self._client._send(_calls.put(self._path + "/serving", document, repeat=repeat))
        return serving

    async def roll_back(self, note: str = "") -> Serving:
        """Lets serve what served before. Is not sent again if its answer is lost."""
        return await self.publish("previous", note)

    async def serving_history(self) -> AsyncIterator[ServingSwitch]:
        """All switches of what serves, the latest first: ``time``, ``from``, ``to`` and ``note``."""
        async for switch in self._client._pages(self._path + "/serving/history", "history"):
            yield switch

    async def aliases(self) -> AsyncIterator[Alias]:
        """All aliases, in byte order."""
        async for alias in self._client._pages(self._path + "/aliases", "aliases"):
            yield alias

    async def alias(self, name: str) -> Alias:
        """Which version an alias names."""
        alias: Alias = await self._client._send(_calls.get(self._alias_path(name)))
        return alias

    async def set_alias(self, name: str, version: VersionName) -> Alias:
        """Lets an alias name a version; it may stand wherever a version's number may."""
        alias: Alias = await self._client._send(_calls.put(self._alias_path(name), {"version": version}))
        return alias

    async def delete_alias(self, name: str) -> None:
        """Deletes the alias, not its version."""
        await self._client._send(_calls.delete(self._alias_path(name)))

    # ---- the state as a safetensors file

    async def state(self, *, version: VersionName | None = None, datatype: str | None = None) -> dict[str, Any]:
        """The arrays of all layers by their names in PyTorch's state_dict, such as ``bn1.running_mean``.

        Float64, which is lossless, or ``datatype="FP32"``, PyTorch's own type. Needs NumPy.
        """
        return await self._client._send(_calls.state_get(self.name, version=version, datatype=datatype))

    async def put_state(self, tensors: Mapping[str, Any], *, counts: Mapping[str, float] | None = None,
                        definitions: Mapping[str, Mapping[str, Any]] | None = None) -> Imported:
        """Imports arrays by their names in PyTorch's state_dict, all or nothing.

        Layers that the model lacks are created where ``running_mean`` shows a batch norm. Tensors of other layers are
        left out; the answer names them. ``counts`` has, by layer, the number of values per feature behind the
        statistics of layers with ``pooled`` or ``decayed`` averaging. ``definitions`` has, by layer, members as those
        of ``Layer.create`` and its ``kind``: a layer that the model lacks is created so, of any kind, and one that it
        has must be so, or else the call is LayerDiffers. Needs NumPy.
        """
        imported: Imported = await self._client._send(
            _calls.state_put(self.name, tensors, counts or {}, definitions or {}))
        return imported

    async def export_file(self, path: str | os.PathLike[str], *, version: VersionName | None = None,
                          datatype: str | None = None,
                          progress: Callable[[int, int], None] | None = None) -> Exported:
        """Writes the state as a safetensors file, which appears at ``path`` when it is whole.

        A download that is cut goes on where it ended. ``progress`` is called with the bytes that came and the size.
        """
        query = {name: str(value) for name, value in present(version=version, datatype=datatype).items()}
        return await self._client._download(Request("GET", self._path + "/state.safetensors", query), path, progress)

    async def import_file(self, path: str | os.PathLike[str],
                          progress: Callable[[int, int], None] | None = None) -> Imported:
        """Imports a safetensors file that was saved from any PyTorch model, as ``put_state`` does."""
        imported: Imported = await self._client._send(_calls.state_put_file(self.name, path, progress))
        return imported

    def _protocol_path(self, version: VersionName | None) -> str:
        return _calls.protocol_path(self.name, version)

    def _version_path(self, version: VersionName) -> str:
        return f"{self._path}/versions/{segment(str(version), 'version')}"

    def _alias_path(self, name: str) -> str:
        return f"{self._path}/aliases/{segment(name, 'alias')}"
