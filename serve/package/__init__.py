"""What a pipeline stores beside a video: the report, what was said, pictures, the review page, and their hashes."""

from serve.package.write import check_replaceable, write_package

__all__ = ["check_replaceable", "write_package"]
