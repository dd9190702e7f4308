"""Files, here or behind a URL: the one place that knows which of the two a path is.

A local path is an ordinary pathlib.Path; `s3://bucket/key` and the other URLs of fsspec are universal_pathlib's UPath, which
answers to the same names (`/`, name, stem, open, exists, glob, iterdir, mkdir, unlink). Both can be pickled: credentials and
the address of the object store come from the environment of the process that opens a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:  # both cost a tenth of a second or more at start-up
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq
    from upath import UPath

_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "LastModified", "last_modified", "updated", "created")
"""What object stores call the thing that changes with an object, in fsspec's listings; the best first."""

FETCHES = 16
"""Requests for whole objects at the same time."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class DamagedError(OSError):
    """A file that is damaged, or written by a version that this one cannot read; `filename` names it, `strerror` says what is wrong."""

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(errno.EIO, why, str(path))

    def __reduce__(self) -> tuple[Any, ...]:
        return DamagedError, (self.filename, self.strerror)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What Arrow finds wrong with the file, with its name.

    Raises:
        DamagedError
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
        raise DamagedError(path, f"damaged ({str(error).splitlines()[0]})") from error


class Seen(NamedTuple):
    """A small file as it was read: its bytes, its version, and the seconds since it was written by the storage's own clock (None: it tells no time)."""

    data: bytes
    version: str
    age: float | None


class Listed(NamedTuple):
    """An object of a remote folder: its name below the folder, its bytes, and what changes when it does (an ETag, where there is one)."""

    name: str
    size: int
    version: str


def located(where: str | Path) -> Path:
    """The path that a person named: a URL of fsspec as it is, anything else as an absolute local path.

    Raises:
        ModuleNotFoundError: the packages for this kind of URL are not installed; the text says which extra has them.
    """
    if isinstance(where, Path):
        return where.absolute()
    if not isinstance(where, str):  # a UPath
        return where
    if where.lower().startswith("file://"):
        return Path(unquote(urlsplit(where).path))
    if not _URL.match(where):
        return Path(where).absolute()
    try:
        from upath import UPath

        # no cached listings: another worker may have written a file since
        path = UPath(where, use_listings_cache=False)
        path.fs  # noqa: B018 - imports what speaks this protocol
    except ImportError as error:
        scheme = where.partition(":")[0].lower()
        extra = "pip install 'copydesk[s3]'" if scheme in {"s3", "s3a"} else f"the fsspec package for {scheme}://"
        raise ModuleNotFoundError(f"{where} needs {extra} on this machine and on every worker ({error})", name=error.name) from error
    return cast("Path", path)


def is_local(path: Path) -> bool:
    """Whether the path is one of this machine's file system, a mounted one included."""
    return isinstance(path, Path)


def read_table(path: Path, columns: Sequence[str] | None = None, filters: Any = None, schema: pa.Schema | None = None) -> pa.Table:
    """A Parquet file, or all Parquet files of a folder in the order of their names; columns, filters and schema as in pyarrow.

    Folder names are never read as columns. A remote file's name ends in .parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = None if columns is None else list(columns)
    if is_local(path):
        with _whole(path):
            return pq.read_table(path, columns=wanted, filters=filters, schema=schema, partitioning=None)
    # by its name: to ask the store whether it is a folder takes as long as to read a small table
    files = [path] if path.suffix == ".parquet" else sorted(path.glob("*.parquet"), key=lambda file: file.name)
    if not files:
        if schema is None:
            raise FileNotFoundError(f"{path}: no Parquet file")
        return schema.empty_table().select(schema.names if wanted is None else wanted)
    tables = []
    for file in files:
        with _ranges(file) as stream, _whole(file):
            tables.append(pq.read_table(stream, columns=wanted, filters=filters, schema=schema, partitioning=None))
    return pa.concat_tables(tables)


def dataset(paths: Sequence[Path]) -> ds.Dataset:
    """Parquet files as one table that is read in batches."""
    import pyarrow.dataset as ds

    if paths and not is_local(paths[0]):
        return ds.dataset([_remote(path).path for path in paths], filesystem=_remote(paths[0]).fs)
    return ds.dataset([os.fspath(path) for path in paths])


def write_table(table: pa.Table, path: Path, **options: Any) -> None:
    """Write a Parquet file (options as in pyarrow) and, if need be, the folder it stands in."""
    import pyarrow.parquet as pq

    with written(path) as stream:
        pq.write_table(table, stream, **options)


def encoding(schema: pa.Schema) -> dict[str, Any]:
    """Options for writing a table of stories: dictionaries where values repeat, statistics where a predicate can use them.

    Long texts have neither: to look them up in a dictionary takes three times as long as all the rest, and a footer with the
    first and last of them in each row group is read by everybody.
    """
    distinct = {
        "text",
        "title",
        "url",
        "story_id",
        "cluster_id",
        "duplicate_of",
        "raw_id",
        "raw_sha256",
        "detail",
        "before",
        "after",
        "other_text",
    }
    leaves = [f"{field.name}{'.list.element' * _is_list(field.type)}{name}" for field in schema for name in _leaves(field.type)]
    return {
        "compression": "zstd",
        "use_dictionary": [leaf for leaf in leaves if leaf.rsplit(".", 1)[-1] not in distinct],
        "write_statistics": [leaf for leaf in leaves if leaf.rsplit(".", 1)[-1] not in ("text", "other_text", "before", "after")],
    }


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind))


def _leaves(kind: pa.DataType) -> list[str]:
    """The columns of a type as Parquet names them below their field."""
    import pyarrow as pa

    value = kind.value_type if _is_list(kind) else kind
    return [f".{value.field(i).name}" for i in range(value.num_fields)] if pa.types.is_struct(value) else [""]


@contextmanager
def parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file open for reading row group by row group; of a remote one only the ranges that are asked for travel."""
    import pyarrow.parquet as pq

    if is_local(path):
        with _whole(path):
            file = pq.ParquetFile(path)
        with file:
            yield file
        return
    with _ranges(path) as stream:
        with _whole(path):
            file = pq.ParquetFile(stream, pre_buffer=True)
        with file:
            yield file


@contextmanager
def arrow(path: Path) -> Iterator[pa.ipc.RecordBatchFileReader]:
    """An Arrow IPC file open for random access to its batches.

    A local file is mapped: its batches cost no memory of their own, and the file is unmapped when the last of them is gone.
    """
    import pyarrow as pa

    with _whole(path):  # an empty file cannot be mapped
        opened = pa.memory_map(os.fspath(path)) if is_local(path) else _ranges(path)
    with opened as source:
        with _whole(path):
            reader = pa.ipc.open_file(source)
        with reader:
            yield reader


def write_arrow(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, sync: bool = False) -> None:
    """Write an uncompressed Arrow IPC file, batch by batch, and, if need be, the folder it stands in; `sync` as in `written`."""
    import pyarrow as pa

    with written(path, sync) as stream, pa.ipc.new_file(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


@contextmanager
def fetched(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Local files with the bytes of these, in their order: local ones as they are, copies of remote ones while the context is open.

    Many requests are under way at once: one by one, small objects would wait for the network far longer than they are worked on. An
    object that cannot be read has no copy, so that opening it fails.
    """
    from concurrent.futures import ThreadPoolExecutor

    with tempfile.TemporaryDirectory(prefix="copydesk-") as folder, ThreadPoolExecutor(FETCHES) as fetches:
        here = [path if is_local(path) else Path(folder, str(number)) for number, path in enumerate(paths)]
        list(fetches.map(_fetch, paths, here))
        yield here


def folder(path: Path) -> Path:
    """Make a folder, if it is not there. Object stores have none: to ask for one there makes a bucket of a misspelt name."""
    if is_local(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def inside(path: Path, suffix: str = "") -> list[Path]:
    """The files and folders in a folder with that ending, by name; none if it is not there."""
    if is_local(path):
        return sorted(one for one in path.iterdir() if one.name.endswith(suffix)) if path.is_dir() else []
    try:
        names = {str(entry["name"]).rstrip("/").rpartition("/")[2] for entry in _remote(path).fs.ls(_remote(path).path, detail=True)}
    except FileNotFoundError:
        return []
    return [path / name for name in sorted(names) if name.endswith(suffix)]


def sizes(folder: Path, suffix: str = "") -> dict[str, int]:
    """The bytes of each file in a folder with that ending, by its name."""
    if is_local(folder):
        return {path.name: path.stat().st_size for path in inside(folder, suffix)}
    with suppress(FileNotFoundError):
        return {found.name: found.size for found in listing(folder) if "/" not in found.name and found.name.endswith(suffix)}
    return {}


def digest(path: Path) -> str:
    """SHA-256 of the bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size(path: Path) -> int:
    """Bytes of the file."""
    return path.stat().st_size


def reachable(folder: Path) -> None:
    """Refuse a remote folder whose store does not answer, does not let us in or lacks the bucket. It need not be there yet.

    Raises:
        OSError: with the folder as its file name, and the reason.
    """
    if not is_local(folder):
        with suppress(FileNotFoundError), _answering(folder):
            _remote(folder).fs.ls(_remote(folder).path)


@contextmanager
def _answering(folder: Path) -> Iterator[None]:
    """What goes wrong in here is an OSError, as of a local folder; that there is nothing below its name yet, a FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        bucket = _remote(folder).path.strip("/").partition("/")[0]
        with suppress(PermissionError):  # to look at the bucket as a whole
            if not _remote(folder).fs.exists(bucket):
                raise OSError(errno.EIO, f"there is no bucket {bucket}", str(folder)) from None
        raise
    except OSError as error:
        raise OSError(error.errno or errno.EIO, str(error.strerror or error), str(folder)) from error
    except Exception as error:  # boto's own: no credentials, no way to the store
        raise OSError(errno.EIO, str(error), str(folder)) from error


def listing(folder: Path) -> Iterator[Listed]:
    """All objects below a remote folder, by its sub-folders, at the price of the listing alone: no request for each object.

    Raises:
        FileNotFoundError: there is nothing below that name.
        OSError: the store does not answer, does not let us in or lacks the bucket.
    """
    remote = _remote(folder)
    top = remote.path.rstrip("/") + "/"
    waiting = [remote.path]
    while waiting:
        with _answering(folder):
            entries = remote.fs.ls(waiting.pop(), detail=True)
        for entry in sorted(entries, key=lambda entry: entry["name"], reverse=True):
            name = entry["name"]
            if entry["type"] == "directory":
                waiting.append(name)
            elif not name.endswith("/") and name.startswith(top):  # some tools make an object for a folder
                version = next((str(entry[key]) for key in _VERSIONS if entry.get(key)), "")
                yield Listed(name.removeprefix(top), entry["size"], version.strip('"'))


def link(existing: Path, new: Path) -> None:
    """Give a file a second name: a hard link or, where there is none, a copy (made by the object store itself, if both are there).

    Raises:
        FileExistsError: `new` is there, and both are local. An object store writes over it.
    """
    if is_local(existing) and is_local(new):
        try:
            os.link(existing, new)
        except FileExistsError:
            raise
        except OSError:  # another file system, too many links, a file system without links
            shutil.copy2(existing, new)
    else:
        _copy(existing, new)


def look(path: Path) -> Seen | None:
    """A small remote object with its version and age, None if it is not there.

    Raises:
        OSError: the store does not answer or does not let us in.
    """
    fs, place = _remote(path).fs, _remote(path).path
    try:
        with _answering(path):
            if not hasattr(fs, "call_s3"):
                info = fs.info(place)
                data = bytes(fs.cat_file(place))
                version = next((str(info[key]) for key in _VERSIONS if info.get(key)), hashlib.sha256(data).hexdigest())
                return Seen(data, version, None)
            from fsspec.asyn import sync

            bucket, key, _ = fs.split_path(place)
            found = fs.call_s3("get_object", Bucket=bucket, Key=key)
            now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
            return Seen(sync(fs.loop, found["Body"].read), found["ETag"], (now - found["LastModified"]).total_seconds())
    except FileNotFoundError:
        return None


def swap(path: Path, data: bytes, version: str | None) -> str:
    """Write a small remote object on condition that it is there in this version or, None, that it is not there; gives its new version.

    S3, and what speaks its protocol, holds to that itself (If-Match, If-None-Match). Other stores of fsspec only do for a new
    object; an old one is looked at just before.

    Raises:
        FileExistsError: it is there in another version, or is no more.
        OSError: the store does not answer or does not let us in.
    """
    fs, place = _remote(path).fs, _remote(path).path
    try:
        with _answering(path):
            if hasattr(fs, "call_s3"):
                bucket, key, _ = fs.split_path(place)
                condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
                return str(fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)["ETag"])
            seen = look(path) if version is not None else None
            if version is None or (seen and seen.version == version):
                fs.pipe_file(place, data, **({"mode": "create"} if version is None else {}))
    except OSError:
        seen = look(path)
        if seen and seen.data == data:  # a first try came through, but not its answer
            return seen.version
        if (seen.version if seen else None) == version:  # so that was not it
            raise
    else:
        seen = look(path)
        if seen and seen.data == data:
            return seen.version
    raise FileExistsError(errno.EEXIST, "somebody else has written or removed it", str(path))


def put(folder: Path, place: Path) -> None:
    """Copy all files of a local folder to a remote one."""
    _remote(place).fs.put(f"{folder}/", f"{_remote(place).path}/", recursive=True)


def move(folder: Path, place: Path) -> None:
    """Move a folder: renamed here, object by object, many at a time, in an object store (by itself)."""
    if is_local(folder):
        folder.replace(place)
        return
    from concurrent.futures import ThreadPoolExecutor

    names = [found.name for found in listing(folder)]
    with ThreadPoolExecutor(FETCHES) as copies:  # fsspec's own recursive copy leaves out what is not found, in silence
        list(copies.map(_copy, [folder / name for name in names], [place / name for name in names]))
    remove_tree(folder)


def draft(path: Path) -> Path:
    """The name of a local file to write what `replace` then puts in the place of `path`: beside it, or in this machine's temporary folder."""
    name = f".{path.name}.{os.urandom(4).hex()}"  # no *.parquet, and hidden from Arrow's datasets
    return path.with_name(name) if is_local(path) else Path(tempfile.gettempdir()) / name


def replace(written: Path, path: Path, sync: bool = True) -> None:
    """Put a finished draft in the place of `path`.

    Local: safely on the disk first (unless many are synced together, see `sync`), then renamed in one step. Object store: the
    object is whole as soon as it is seen.
    """
    if is_local(written) and is_local(path):
        if sync:
            sync_one(written)
        written.replace(path)
    else:
        _copy(written, path)
        written.unlink()


def sync_one(path: Path) -> None:
    """A local file's bytes, or a local folder's names, are safely on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """Everything written so far is safely on the disk when this returns: one wait for hundreds of files, not one for each."""
    if is_local(folder):
        os.sync()


def protect(path: Path) -> None:
    """Make a file read-only, where files have permissions."""
    if is_local(path):
        path.chmod(0o444)


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it; one that is not there is removed already."""
    with suppress(FileNotFoundError):
        if is_local(path):
            shutil.rmtree(path)
        else:
            _remote(path).fs.rm(_remote(path).path, recursive=True)


def _remote(path: Path) -> UPath:
    return cast("UPath", path)


def _ranges(path: Path) -> IO[bytes]:
    """A remote file open for random access: what Arrow asks for travels, no block around it (s3fs reads 50 MB ahead otherwise)."""
    return cast("IO[bytes]", _remote(path).open("rb", cache_type="none"))


@contextmanager
def written(path: Path, sync: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that is seen under its name when it is whole, and never after a failure.

    `sync`: safely on the disk before it has its name; for what outlives the run. A file system may keep a name through a loss of
    power and lose the bytes.
    A task that a cluster gave to two workers (one was thought dead) may be writing the same file twice at the same time.
    """
    if is_local(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = draft(path)
        try:
            with beside.open("wb") as stream:
                yield stream
                if sync:
                    stream.flush()
                    os.fsync(stream.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return
    upload: Any = path.open("wb")
    try:
        yield upload
    except BaseException:
        upload.discard()  # closing would publish what is there so far
        with suppress(AttributeError):  # so that collecting the object does not close it after all
            upload.closed = True
        raise
    upload.close()


def _fetch(path: Path, here: Path) -> None:
    if not is_local(path):
        try:
            _remote(path).fs.get_file(_remote(path).path, os.fspath(here))
        except (FileNotFoundError, PermissionError):  # what else goes wrong is the network's: not to be taken for a fault of the file
            here.unlink(missing_ok=True)


def _copy(existing: Path, new: Path) -> None:
    if not is_local(existing) and not is_local(new) and _remote(existing).fs == _remote(new).fs:
        _remote(new).fs.cp_file(_remote(existing).path, _remote(new).path)
    elif is_local(existing):
        _remote(new).fs.put_file(os.fspath(existing), _remote(new).path)
    else:
        with existing.open("rb") as source, written(new) as target:
            shutil.copyfileobj(source, target, 1 << 20)
