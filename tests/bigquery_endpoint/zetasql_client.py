"""ZetaSQL, Google's own SQL front end and reference implementation, as a WebAssembly module.

The `zetasql` package compiles its module at every start (half a minute) and copies memory byte by
byte. This client keeps the compiled module in the user's cache and copies whole blocks.
"""

import ctypes
import hashlib
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import tzdata
from google.protobuf import empty_pb2
from wasmtime import Config, Engine, Linker, Module, Store, Trap, WasiConfig, WasmtimeError
from zetasql.core.exceptions import ServerError
from zetasql.wasi import get_wasm_path


class Trapped(Exception):
    """The module crashed or ran out of time; the next call starts a fresh instance."""


def cache_path(wasm: Path) -> Path:
    """Where the compiled module is kept: one file per content, compiler version and machine."""
    stat = wasm.stat()
    key = (stat.st_size, _digest(wasm), version("wasmtime"), platform.platform(), _cpu())
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:20]
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "goodoc" / f"zetasql-{name}.cwasm"


def _digest(wasm: Path) -> str:
    with open(wasm, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cpu() -> str:
    """The processor's abilities: compiled code must not meet a processor that lacks one of them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def load_module(engine: Engine) -> Module:
    """The compiled module, from the cache where it can be read, else compiled and kept."""
    wasm = get_wasm_path()
    cached = cache_path(wasm)
    try:
        return Module.deserialize_file(engine, str(cached))
    except WasmtimeError:  # not there, or written by something else
        module = Module.from_file(engine, str(wasm))
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=cached.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(module.serialize())
        os.replace(partial, cached)  # another process sees all of the file or none of it
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return module


class ZetaSQL:
    """Calls ZetaSQL's local service; a crash or an overlong call costs only the instance."""

    def __init__(self):
        config = Config()
        config.shared_memory = True
        config.epoch_interruption = True
        self._engine = Engine(config)
        self._module = load_module(self._engine)
        self.instances = 0
        self._start()

    def _start(self):
        wasi = WasiConfig()
        wasi.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self._store = Store(self._engine)
        self._store.set_wasi(wasi)
        self._store.set_epoch_deadline(1)
        linker = Linker(self._engine)
        linker.define_wasi()
        self._exports = linker.instantiate(self._store, self._module).exports(self._store)
        self._exports["_initialize"](self._store)
        self.instances += 1

    def interrupt(self):
        """End the running call (from another thread); it raises `Trapped`."""
        self._engine.increment_epoch()

    def call(self, method: str, request, response=empty_pb2.Empty):
        """One call of the service, protobuf in and out. Raises ServerError; Trapped on a crash."""
        data = request.SerializeToString()
        try:
            self._store.set_epoch_deadline(1)
            return response.FromString(self._call(f"ZetaSqlLocalService_{method}", data))
        except (Trap, WasmtimeError) as error:
            self._start()
            raise Trapped(str(error)) from error

    def _call(self, method, data) -> bytes:
        allocate, free = self._exports["wasm_malloc"], self._exports["wasm_free"]
        store = self._store
        request = allocate(store, len(data))
        size_at = allocate(store, 4)
        ctypes.memmove(self._address(request), data, len(data))
        answer = self._exports[method](store, request, len(data), size_at)
        if answer:
            size = int.from_bytes(self._read(size_at, 4), "little")
            body = self._read(answer, size)
            free(store, answer)
        free(store, request)
        free(store, size_at)
        if not answer:
            length = self._exports["wasm_get_last_error_size"](store)
            message = self._read(self._exports["wasm_get_last_error"](store), length)
            raise ServerError.from_error_string(message.decode())
        return body

    def _address(self, pointer: int) -> int:
        return ctypes.addressof(self._exports["memory"].data_ptr().contents) + pointer

    def _read(self, pointer: int, size: int) -> bytes:
        return ctypes.string_at(self._address(pointer), size)
