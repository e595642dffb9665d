"""Extract-load: copies every source table, exactly once, into raw tables; knows no dbt model."""

from extract_load.declaration import DeclarationError, Source, read_sources
from extract_load.report import LoadReport, TableReport
from extract_load.run import load

__all__ = ["DeclarationError", "LoadReport", "Source", "TableReport", "load", "read_sources"]
