"""What people bring into the ledger from files: good lines in, bad ones named and set aside."""

from collector.imports.activity import import_activity, import_production

__all__ = ["import_activity", "import_production"]
