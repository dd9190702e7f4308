"""Files here and behind a URL: the same calls, on a folder, on fsspec's memory and on a real S3 server."""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tasks import files

TABLE = pa.table({"story_id": ["a", "b", "c"], "words": [310, 87, 1204]})


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "local":
        return tmp_path
    if request.param == "s3":
        request.getfixturevalue("s3_server")
    return files.located(f"{request.param}://news/{tmp_path.name}")


def test_only_what_looks_like_a_url_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert files.located("raw") == files.located(Path("raw")) == tmp_path / "raw"
    assert files.located(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    assert files.is_local(files.located("s3:bucket"))
    url = files.located("memory://news/raw")
    assert not files.is_local(url)
    assert files.located(url) is url
    assert str(url / "a.txt") == "memory://news/raw/a.txt"


def test_a_url_that_nothing_here_speaks_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ModuleNotFoundError, match=r"s3://news/raw needs pip install 'copydesk\[s3\]' on this machine and on every worker"):
        files.located("s3://news/raw")


def test_a_local_path_loads_no_package_for_urls() -> None:
    code = (
        "import sys; from tasks import files; files.located('raw'); print([m for m in ('upath', 'fsspec', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_pathlib_interface(folder: Path) -> None:
    below = folder / "raw" / "daily"
    below.mkdir(parents=True, exist_ok=True)
    (below / "a.txt").write_text("Ferry late\n", encoding="utf-8")
    with (below / "b.txt").open("wb") as stream:
        stream.write(b"Ferry early\n")
    assert sorted(path.name for path in below.iterdir()) == ["a.txt", "b.txt"]
    assert [path.stem for path in sorted(folder.glob("raw/*/*.txt"), key=str)] == ["a", "b"]
    assert below.is_dir()
    assert (below / "a.txt").is_file()
    assert (below / "a.txt").relative_to(folder).as_posix() == "raw/daily/a.txt"
    (below / "a.txt").unlink()
    (below / "a.txt").unlink(missing_ok=True)
    assert not (below / "a.txt").exists()
    assert (below / "b.txt").read_text(encoding="utf-8") == "Ferry early\n"


def test_a_path_travels_to_workers(folder: Path) -> None:
    files.write_table(TABLE, folder / "t.parquet")
    there = pickle.loads(pickle.dumps(folder / "t.parquet"))  # noqa: S301 - our own bytes
    assert there == folder / "t.parquet"
    assert files.read_table(there).equals(TABLE)


def test_tables(folder: Path) -> None:
    for number in (1, 0):
        files.write_table(TABLE.slice(number, 2 - number), folder / "month=3" / f"{number}.parquet", compression="zstd")
    assert files.read_table(folder / "month=3").column_names == ["story_id", "words"]
    assert files.read_table(folder / "month=3")["story_id"].to_pylist() == ["a", "b", "b"]
    assert files.read_table(folder / "month=3", ["words"], filters=pc.field("words") > 100).to_pydict() == {"words": [310]}
    assert files.read_table(folder / "month=3" / "1.parquet", filters=[("words", "<", 100)])["story_id"].to_pylist() == ["b"]
    assert files.size(folder / "month=3" / "0.parquet") == (folder / "month=3" / "0.parquet").stat().st_size


def test_an_empty_folder_with_a_schema_is_an_empty_table(folder: Path) -> None:
    (folder / "none").mkdir(parents=True, exist_ok=True)
    files.write_table(TABLE, folder / "none" / "t.parquet")
    (folder / "none" / "t.parquet").unlink()
    if files.is_local(folder) or (folder / "none").is_dir():
        assert files.read_table(folder / "none", schema=TABLE.schema).equals(TABLE.schema.empty_table())


def test_row_groups_one_by_one(folder: Path) -> None:
    files.write_table(TABLE, folder / "t.parquet", row_group_size=1)
    with files.parquet(folder / "t.parquet") as file:
        assert file.metadata.num_row_groups == 3
        assert file.read_row_group(1, columns=["words"]).to_pydict() == {"words": [87]}


@pytest.mark.usefixtures("s3_server")
def test_of_a_remote_file_only_the_ranges_asked_for_travel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = files.located(f"s3://news/{tmp_path.name}")
    heavy = pa.table({"text": [os.urandom(200_000).hex() for _ in range(8)], "words": range(8)})
    files.write_table(heavy, folder / "t.parquet", row_group_size=1, compression="none", use_dictionary=False)
    remote = importlib.import_module("s3fs.core").S3File
    fetch, fetched = remote._fetch_range, list[int]()

    def count(self: object, start: int, end: int) -> bytes:
        fetched.append(end - start)
        return bytes(fetch(self, start, end))

    monkeypatch.setattr(remote, "_fetch_range", count)
    with files.parquet(folder / "t.parquet") as file:
        file.read_row_group(3, columns=["words"])
    assert 0 < sum(fetched) < 100_000
    fetched.clear()
    assert files.read_table(folder / "t.parquet", ["words"])["words"].to_pylist() == list(range(8))
    assert 0 < sum(fetched) < 100_000


def test_batches(folder: Path) -> None:
    batches = TABLE.to_batches(max_chunksize=2)
    files.write_arrow(batches, TABLE.schema, folder / "index" / "keys.arrow")
    with files.arrow(folder / "index" / "keys.arrow") as reader:
        assert reader.num_record_batches == 2
        second = reader.get_batch(1)
    assert second.equals(batches[1])  # also after the file is closed


def test_a_mapped_file_takes_no_memory_and_is_let_go(tmp_path: Path) -> None:
    files.write_arrow([pa.record_batch({"hash": range(1_000_000)})], pa.schema({"hash": pa.int64()}), tmp_path / "keys.arrow")

    def mapped() -> bool:
        return "keys.arrow" in Path("/proc/self/maps").read_text(encoding="utf-8")

    def read() -> tuple[bool, int, int]:
        before = pa.total_allocated_bytes()
        with files.arrow(tmp_path / "keys.arrow") as reader:
            batch = reader.get_batch(0)
        return mapped(), pa.total_allocated_bytes() - before, batch.num_rows

    there, allocated, rows = read()
    assert (there, rows) == (True, 1_000_000)
    assert allocated < 100_000
    end = time.monotonic() + 5
    while mapped() and time.monotonic() < end:  # a thread of Arrow may still be telling the system what will be read
        time.sleep(0.05)
    assert not mapped()


@pytest.mark.parametrize("folder", ["local", "s3"], indirect=True)
def test_what_failed_half_way_is_not_seen(folder: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="source is gone"):
        files.write_arrow(batches(), TABLE.schema, folder / "keys.arrow")
    assert list(folder.glob("*")) == []


def test_digest_link_replace_remove(folder: Path) -> None:
    (folder / "a").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "one").write_bytes(b"first")
    (folder / "a" / "two").write_bytes(b"second")
    assert files.digest(folder / "a" / "one") == hashlib.sha256(b"first").hexdigest()
    files.link(folder / "a" / "one", folder / "a" / "same")
    files.replace(folder / "a" / "two", folder / "a" / "one")
    assert (folder / "a" / "one").read_bytes() == b"second"
    assert (folder / "a" / "same").read_bytes() == b"first"
    assert not (folder / "a" / "two").exists()
    files.remove_tree(folder / "a")
    assert not (folder / "a" / "one").exists()
    files.remove_tree(folder / "a")


@pytest.mark.parametrize("folder", ["memory", "s3"], indirect=True)
def test_a_listing_tells_what_changed_without_looking_at_each_object(folder: Path) -> None:
    for name in ("raw/b.txt", "raw/daily/a b#1?.txt", "raw/daily/2026/c.txt", "rawness/d.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    before = {entry.name: entry for entry in files.listing(folder / "raw")}
    assert set(before) == {"b.txt", "daily/a b#1?.txt", "daily/2026/c.txt"}
    assert before["b.txt"].size == len("raw/b.txt")
    (folder / "raw/b.txt").write_text("RAW/b.txt", encoding="utf-8")
    after = {entry.name: entry for entry in files.listing(folder / "raw")}
    assert [name for name in before if before[name].version != after[name].version] == ["b.txt"]
    with pytest.raises(FileNotFoundError):
        list(files.listing(folder / "nothing"))


@pytest.mark.parametrize("folder", ["local", "s3"], indirect=True)
def test_a_lock_is_a_file_that_only_one_can_make(folder: Path) -> None:
    with (folder / "lock").open("xb") as stream:
        stream.write(b"one")
    with pytest.raises(FileExistsError), (folder / "lock").open("xb") as stream:
        stream.write(b"two")
    assert (folder / "lock").read_bytes() == b"one"


def test_link_gives_a_second_name_here_and_never_writes_over_one(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"first")
    files.link(tmp_path / "one", tmp_path / "same")
    assert (tmp_path / "same").samefile(tmp_path / "one")
    with pytest.raises(FileExistsError):
        files.link(tmp_path / "one", tmp_path / "same")


def test_a_draft_is_local_and_goes_to_its_place_whole(folder: Path) -> None:
    place = folder / "stories" / "2026-01.parquet"
    if files.is_local(folder):
        place.parent.mkdir()
    written = files.draft(place)
    assert files.is_local(written)
    pq.write_table(TABLE, written)
    assert not place.exists()
    assert list(written.parent.glob("*2026-01*.parquet")) == []
    files.replace(written, place)
    assert files.read_table(place).equals(TABLE)
    assert not written.exists()


def test_many_small_files_are_fetched_at_once(folder: Path) -> None:
    paths = [folder / "raw" / f"{number}.txt" for number in range(40)]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * number)
    paths[7].unlink()
    with files.fetched(paths) as here:
        assert all(files.is_local(path) for path in here)
        assert [path.stat().st_size for number, path in enumerate(here) if number != 7] == [n for n in range(40) if n != 7]
        with pytest.raises(FileNotFoundError):
            here[7].open("rb")
    assert here[8].exists() == files.is_local(folder)


@pytest.mark.usefixtures("s3_server")
def test_a_file_written_by_another_process_is_seen_at_once(tmp_path: Path) -> None:
    folder = files.located(f"s3://news/{tmp_path.name}")
    assert not (folder / "new.txt").exists()
    assert list(folder.glob("*")) == []
    code = "import sys; from tasks import files; files.located(sys.argv[1]).write_text('x')"
    subprocess.run([sys.executable, "-c", code, str(folder / "new.txt")], check=True)
    assert (folder / "new.txt").exists()
    assert [path.name for path in folder.iterdir()] == ["new.txt"]


def test_what_is_in_a_folder_by_name(folder: Path) -> None:
    assert files.inside(files.folder(folder / "drafts")) == []
    for name in ("b.parquet", "a.parquet", "a.arrow", ".c.parquet.1f"):
        with files.written(folder / "drafts" / name) as stream:
            stream.write(b"x")
    assert [path.name for path in files.inside(folder / "drafts", ".parquet")] == ["a.parquet", "b.parquet"]
    assert len(files.inside(folder / "drafts")) == 4


def test_a_folder_is_moved_with_all_below_it(folder: Path) -> None:
    for name in ("draft/stories/a.parquet", "draft/report/index.html"):
        with files.written(folder / name) as stream:
            stream.write(name.encode())
    files.move(folder / "draft", folder / "snapshot")
    assert (folder / "snapshot" / "stories" / "a.parquet").read_bytes() == b"draft/stories/a.parquet"
    assert (folder / "snapshot" / "report" / "index.html").is_file()
    assert files.inside(folder / "draft") == []


def test_a_store_that_cannot_be_used_says_so_in_a_line(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    files.reachable(files.located("s3://news/not/there/yet"))
    with pytest.raises(OSError, match="there is no bucket gnus") as error:
        files.reachable(files.located("s3://gnus/raw"))
    assert error.value.filename == "s3://gnus/raw"
    with pytest.raises(OSError, match="there is no bucket gnus"):
        list(files.listing(files.located("s3://gnus/raw")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    code = "from tasks import files; files.reachable(files.located('s3://news/raw'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OSError: [Errno 5] Unable to locate credentials: 's3://news/raw'" in done.stderr
