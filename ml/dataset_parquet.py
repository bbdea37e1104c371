"""Records out of a Parquet file, one row group at a time.

fastparquet takes 9 MB beside the pandas that is here already; pyarrow takes 171 MB and polars 178 MB
for the same columns of text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

MAX_ROWS = 5_000_000

COLUMNS = frozenset(
    {"uri", "id", "title", "body", "text", "label", "labels", "split"}
    | {"language", "source", "published_at"}
)
"""What is read; other columns are never unpacked."""


class ParquetError(Exception):
    """A file that is no Parquet, or more than its reader takes."""


def read_parquet(stream: IO[bytes], most: int) -> Iterator[tuple[int, Any]]:
    """Yield row numbers from 1 and the fields that stand there, those of COLUMNS alone.

    `most` is how many bytes the columns read may take unpacked. Raises ParquetError.
    """
    # Here: it brings in pandas, which takes a second.
    import fastparquet

    try:
        table = fastparquet.ParquetFile(stream)
        columns = [name for name in table.columns if name in COLUMNS]
        size = sum(
            column.meta_data.total_uncompressed_size
            for group in table.row_groups
            for column in group.columns
            if column.meta_data.path_in_schema[0] in COLUMNS
        )
        rows = sum(group.num_rows for group in table.row_groups)
    except Exception as error:  # the parser of a foreign format raises whatever it meets
        raise ParquetError(f"not Parquet: {error}") from error
    if size > most or rows > MAX_ROWS:
        raise ParquetError(f"{size} bytes in {rows} rows unpacked; limits {most} and {MAX_ROWS}")
    if not columns:
        raise ParquetError(f"no column of {', '.join(sorted(COLUMNS))}")
    number = 0
    try:
        for frame in table.iter_row_groups(columns=columns, index=False):
            for values in frame[columns].itertuples(index=False, name=None):
                number += 1
                plain = (_plain(value) for value in values)
                yield number, dict(zip(columns, plain, strict=True))
    except Exception as error:
        raise ParquetError(f"row {number + 1}: {error}") from error


def _plain(value: Any) -> Any:
    """Return a cell as JSON would have it; pandas tells nothing by NaN or NaT."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if value is None or value != value:  # only NaN and NaT differ from themselves
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
