"""Parquet files read and written a batch at a time: what is in memory does not grow with the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.storage import (
    Header,
    arrow_file,
    arrow_schema,
    atomic_path,
    header_metadata,
    metadata_header,
    parquet_errors,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_BYTES = 16 * 2**20  # enough that work a batch is small beside work a row, and little beside any machine's memory
BATCH_ROWS = 2**16
READ_BYTES = 2**20  # columns are read in pieces of this size, not a whole row group at once


def read_header(path: Path, kind: type) -> Header:
    """The header of a Parquet file of `kind`, empty where it has none."""
    import pyarrow.parquet as pq

    with parquet_errors(path, kind), arrow_file(path) as stream:
        return metadata_header(pq.read_metadata(stream).metadata)


def read_batches(path: Path, kind: type, leave_out: Sequence[str] = ()) -> Iterator["pa.Table"]:
    """The rows of a Parquet file in their order, as tables of at most 65,536 rows and about 16 MiB.

    The size is set by the mean row of the file, so very long texts that Parquet stores once for many rows take more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(kind, leave_out)
    with parquet_errors(path, kind), arrow_file(path) as stream:
        file = pq.ParquetFile(stream, buffer_size=READ_BYTES, pre_buffer=False)
        rows = _rows_a_batch(file.metadata)
        for batch in file.iter_batches(batch_size=rows, columns=schema.names, use_threads=False):
            yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        if file.metadata.num_rows == 0:
            yield file.schema_arrow.empty_table().select(schema.names).cast(schema)


@contextmanager
def written_in_batches(path: Path, kind: type, header: Header, unlike: Sequence[str] = ()) -> Iterator["Writer"]:
    """A writer of a Parquet file of `kind`, which is there whole when the block ends well and not at all otherwise.

    Columns in `unlike` hold values that hardly ever come twice: they are written without looking for repetitions.
    """
    import pyarrow.parquet as pq

    schema = arrow_schema(kind).with_metadata(header_metadata(header))
    repeated = [name for name in schema.names if name not in unlike]
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=repeated) as writer,
    ):
        buffered = Writer(writer)
        yield buffered
        buffered.flush()


class Writer:
    """Gathers small tables into row groups worth reading, and writes each as soon as it is full."""

    def __init__(self, writer: "pq.ParquetWriter") -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []

    def write(self, table: "pa.Table") -> None:
        """Write the rows of `table` after those before."""
        self._waiting.append(table)
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= BATCH_ROWS or sum(waiting.nbytes for waiting in self._waiting) >= 2 * BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one row group."""
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting = []


def _rows_a_batch(metadata: "pq.FileMetaData") -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1.0)
    return max(1, min(BATCH_ROWS, int(BATCH_BYTES / max(widest, 1.0))))
